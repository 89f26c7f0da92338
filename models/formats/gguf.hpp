#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/formats/model_files.hpp"

namespace flowspec {

/// A GGUF file (version 2 or 3, little-endian), mapped into memory. Opening reads the header only;
/// a tensor's pages are read when its bytes are. Everything in the header is checked: counts,
/// lengths, types, shapes, alignment, and that each tensor lies inside the file and overlaps no
/// other.
///
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
///
/// A model may be split over several files, as `gguf-split` does; then this object covers all of
/// them. The metadata is that of the first part.
///
/// Movable, not copyable. The bytes of tensors are at least 8-byte aligned.
class GgufFile : public ModelFiles {
 public:
  /// @param path  the file, or any part of a split model.
  /// Throws ModelError when the file cannot be read or is not a valid GGUF file, and, naming the
  /// part, when the parts do not make up one model.
  static GgufFile open(const std::filesystem::path& path);

  GgufFile(GgufFile&&) noexcept;
  GgufFile& operator=(GgufFile&&) noexcept;
  ~GgufFile() override;

  /// Of a split model, the first part.
  const std::filesystem::path& path() const override;
  std::vector<std::filesystem::path> parts() const override;
  std::vector<FileIdentity> identities() const override;
  void check_unchanged() const override;
  std::uint64_t file_size() const override;
  /// 2 or 3.
  std::uint32_t version() const;
  std::shared_ptr<const void> mapping() const override;

  /// Metadata. The find functions return nothing if the file lacks the key, and throw ModelError,
  /// naming the key and the type found, if its value has another type. `find_uint` and `find_ints`
  /// accept any integer type if the value fits; `find_float` and `find_floats` accept any floating
  /// type.
  std::optional<std::uint64_t> find_uint(std::string_view key) const;
  std::optional<double> find_float(std::string_view key) const;
  std::optional<bool> find_bool(std::string_view key) const;
  std::optional<std::string> find_string(std::string_view key) const;
  std::optional<std::vector<std::string>> find_strings(std::string_view key) const;
  std::optional<std::vector<float>> find_floats(std::string_view key) const;
  std::optional<std::vector<std::int64_t>> find_ints(std::string_view key) const;
  /// The same, but a missing key is a ModelError too.
  std::uint64_t require_uint(std::string_view key) const;
  double require_float(std::string_view key) const;
  bool require_bool(std::string_view key) const;
  std::string require_string(std::string_view key) const;
  std::vector<std::string> require_strings(std::string_view key) const;
  std::vector<float> require_floats(std::string_view key) const;
  std::vector<std::int64_t> require_ints(std::string_view key) const;
  bool has_key(std::string_view key) const;
  /// Whether the key is present, with an array of any type.
  bool is_array(std::string_view key) const;
  /// The number of elements of an array of any type.
  std::optional<std::uint64_t> find_length(std::string_view key) const;

  /// All tensors in the order of the parts and of each file.
  std::span<const TensorInfo> tensors() const;
  std::vector<const TensorInfo*> all_tensors() const override;
  const TensorInfo* find(std::string_view name) const override;
  /// Trailing dimensions of 1 do not matter.
  const TensorInfo& require(std::string_view name,
                            std::span<const std::uint64_t> shape) const override;
  using ModelFiles::require;

 private:
  struct Content;
  explicit GgufFile(std::shared_ptr<const Content> content);
  std::shared_ptr<const Content> content_;
};

}  // namespace flowspec
