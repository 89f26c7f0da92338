#pragma once
/// The parsed header of a GGUF file. Internal to models/formats: others use GgufFile.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/formats/gguf.hpp"

namespace flowspec {

/// Numbered as in the file.
enum class GgufType : std::uint32_t {
  uint8 = 0,
  int8 = 1,
  uint16 = 2,
  int16 = 3,
  uint32 = 4,
  int32 = 5,
  float32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  uint64 = 10,
  int64 = 11,
  float64 = 12,
};

/// A metadata value, still in the file: its bounds are checked, its bytes are read on use.
struct GgufValue {
  GgufType type = GgufType::uint8;
  /// For arrays: the type and number of elements.
  GgufType element_type = GgufType::uint8;
  std::uint64_t count = 1;
  /// A scalar's bytes, a string's characters, or an array's elements back to back (strings with
  /// their lengths).
  std::span<const std::byte> bytes;
};

struct GgufHeader {
  std::uint32_t version = 0;
  std::map<std::string, GgufValue, std::less<>> metadata;
  std::vector<TensorInfo> tensors;
  /// Where the bytes of tensors begin; at most one alignment behind the end of a file without tensors.
  std::uint64_t data_begin = 0;
};

/// Bytes that a value of this type takes; 0 for strings and arrays.
std::size_t fixed_size(GgufType type);

/// "a uint32", or "an array of 5 string".
std::string describe(const GgufValue& value);

bool is_integer(GgufType type);
/// The value of a scalar; nothing if it is no integer or does not fit.
std::optional<std::uint64_t> to_uint(const GgufValue& value);
/// Element `index` of an array; nothing if the elements are no integers or the value does not fit.
std::optional<std::int64_t> to_int(const GgufValue& value, std::size_t index);

/// Checks that all of a header but the tensors' places can be read in these bytes, the first of a file.
/// Throws ModelError.
void check_gguf_head(std::span<const std::byte> bytes, const std::filesystem::path& path);

/// Reads the header of the file whose content is `bytes`. Throws ModelError.
GgufHeader read_gguf_header(std::span<const std::byte> bytes, const std::filesystem::path& path);

}  // namespace flowspec
