#pragma once
/// Models with random weights, to measure the speed of a shape and a type without a model file.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "models/config/config.hpp"
#include "models/formats/model_files.hpp"

namespace flowspec {

/// A published shape, for instance "tinyllama-1.1b"; null for an unknown name.
const ModelConfig* find_shape(std::string_view name);
std::vector<std::string_view> model_shape_names();

/// All tensors of a model without a file. They share the same random bytes, as many as the largest
/// tensor needs: the time of a product does not depend on the values.
class RandomModel final : public ModelFiles {
 public:
  /// Matrices get this type, norms are float32. Throws ModelError if a row of a matrix is not a
  /// whole number of the type's blocks.
  RandomModel(const ModelConfig& config, TensorType type);

  const std::filesystem::path& path() const override { return path_; }
  std::vector<std::filesystem::path> parts() const override { return {}; }
  std::vector<FileIdentity> identities() const override { return {}; }
  void check_unchanged() const override {}
  std::uint64_t file_size() const override;
  std::shared_ptr<const void> mapping() const override { return bytes_; }
  std::vector<const TensorInfo*> all_tensors() const override;
  const TensorInfo* find(std::string_view name) const override;
  const TensorInfo& require(std::string_view name,
                            std::span<const std::uint64_t> shape) const override;

 private:
  void add(const std::string& name, TensorType type, std::vector<std::uint64_t> shape);

  std::filesystem::path path_;
  std::vector<TensorInfo> tensors_;
  std::shared_ptr<const std::vector<std::byte>> bytes_;
  std::shared_ptr<const std::vector<std::byte>> norms_;
};

}  // namespace flowspec
