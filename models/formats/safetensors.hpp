#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

#include "models/formats/file_identity.hpp"
#include "models/formats/tensor_info.hpp"

namespace flowspec {

/// A safetensors file, mapped into memory. Opening reads the header only; a tensor's pages are read
/// when its bytes are. Everything in the header is checked: sizes, types, shapes, and that the
/// tensors fill the rest of the file without gaps or overlaps.
///
/// Format: https://github.com/huggingface/safetensors#format
///
/// Tensors are described like those of a GGUF file, so that the same code loads them: the shape of
/// a `TensorInfo` starts with the row length, the reverse of the file's order. Their bytes need not
/// be aligned. F32, F16 and BF16 can be used as weights, I32 and I64 as integers
/// (`TensorInfo::integers`); tensors of other types are listed only.
///
/// Spans of `data` stay valid as long as this object or a copy of `mapping()` lives. Writes to the
/// file show in them, so call `check_unchanged` after reading.
class SafetensorsFile {
 public:
  /// Throws ModelError when the file cannot be read or is not a valid safetensors file.
  static SafetensorsFile open(const std::filesystem::path& path);

  const std::filesystem::path& path() const;
  /// In bytes.
  std::uint64_t file_size() const;
  /// The file's identity when it was opened.
  const FileIdentity& identity() const;
  /// Throws ModelError if the file was replaced, written to or truncated since it was opened, or
  /// could not be read.
  void check_unchanged() const;
  /// Keeps the mapped bytes alive on its own.
  std::shared_ptr<const void> mapping() const;

  /// All tensors in the order of their bytes.
  std::span<const TensorInfo> tensors() const;
  /// Null if there is none of that name. Valid as long as this object or a copy.
  const TensorInfo* find(std::string_view name) const;
  /// Throws ModelError when the tensor is missing, has another shape, or a type that cannot be
  /// used.
  /// @param shape  as the file says it: {outputs, inputs} for a matrix.
  const TensorInfo& require(std::string_view name, std::span<const std::uint64_t> shape) const;
  const TensorInfo& require(std::string_view name,
                            std::initializer_list<std::uint64_t> shape) const;

 private:
  struct Content;
  explicit SafetensorsFile(std::shared_ptr<const Content> content);
  std::shared_ptr<const Content> content_;
};

}  // namespace flowspec
