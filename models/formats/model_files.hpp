#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/formats/file_identity.hpp"
#include "models/formats/tensor_info.hpp"

namespace flowspec {

/// The weights of one model, whatever files hold them, mapped into memory: a tensor's pages are
/// read when its bytes are. Tensors are named as in GGUF files.
///
/// Spans of `data` stay valid as long as this object or a copy of `mapping()` lives. Writes to the
/// files show in them, so call `check_unchanged` after reading.
class ModelFiles {
 public:
  virtual ~ModelFiles() = default;

  /// The model's file or folder; the last component is the model's name.
  virtual const std::filesystem::path& path() const = 0;
  /// The files that decide what the model computes, in a fixed order.
  virtual std::vector<std::filesystem::path> parts() const = 0;
  /// The identities of `parts` when they were opened.
  virtual std::vector<FileIdentity> identities() const = 0;
  /// Throws ModelError, naming the file, if one of them was replaced, written to or truncated since
  /// it was opened, or could not be read. Then the bytes already read cannot be trusted.
  virtual void check_unchanged() const = 0;
  /// Total size of the weight files in bytes.
  virtual std::uint64_t file_size() const = 0;
  /// Keeps the mapped bytes alive on its own.
  virtual std::shared_ptr<const void> mapping() const = 0;
  /// Warnings for the user about files that can be read but are unusual; whole sentences. May read
  /// weights.
  virtual std::vector<std::string> remarks() const { return {}; }

  /// Every tensor that the files have.
  virtual std::vector<const TensorInfo*> all_tensors() const = 0;
  /// Null if there is none of that name. Valid as long as this object, moved or not.
  virtual const TensorInfo* find(std::string_view name) const = 0;
  /// Throws ModelError, which names file and tensor, when the tensor is missing, has another shape,
  /// or a type that `to_float` does not take.
  /// @param shape  in GGUF's order, see `TensorInfo`.
  virtual const TensorInfo& require(std::string_view name,
                                    std::span<const std::uint64_t> shape) const = 0;
  const TensorInfo& require(std::string_view name,
                            std::initializer_list<std::uint64_t> shape) const {
    return require(name, std::span(shape.begin(), shape.size()));
  }

 protected:
  ModelFiles() = default;
  ModelFiles(const ModelFiles&) = default;
  ModelFiles& operator=(const ModelFiles&) = default;
  ModelFiles(ModelFiles&&) = default;
  ModelFiles& operator=(ModelFiles&&) = default;
};

}  // namespace flowspec
