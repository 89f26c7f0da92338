#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "models/formats/model_files.hpp"

namespace flowspec {

/// Forwards requests for tensors and records which have been asked for, so that those that nobody
/// needs can be refused.
class NotingFiles : public ModelFiles {
 public:
  explicit NotingFiles(const ModelFiles& files) : files_(files) {}

  const std::filesystem::path& path() const override { return files_.path(); }
  std::vector<std::filesystem::path> parts() const override { return files_.parts(); }
  std::vector<FileIdentity> identities() const override { return files_.identities(); }
  void check_unchanged() const override { files_.check_unchanged(); }
  std::uint64_t file_size() const override { return files_.file_size(); }
  std::shared_ptr<const void> mapping() const override { return files_.mapping(); }
  std::vector<const TensorInfo*> all_tensors() const override { return files_.all_tensors(); }
  const TensorInfo* find(std::string_view name) const override { return files_.find(name); }
  const TensorInfo& require(std::string_view name,
                            std::span<const std::uint64_t> shape) const override {
    const TensorInfo& tensor = files_.require(name, shape);
    noted_.insert(&tensor);
    return tensor;
  }

  using ModelFiles::require;

  bool is_noted(const TensorInfo* tensor) const { return noted_.contains(tensor); }

 private:
  const ModelFiles& files_;
  mutable std::set<const TensorInfo*> noted_;
};

}  // namespace flowspec
