#include "models/formats/safetensors_reader.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"

namespace flowspec {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "values are read in place");

// Headers of published models have a few hundred kilobytes at most.
constexpr std::uint64_t max_header_bytes = std::uint64_t{16} << 20;
constexpr std::size_t max_dimensions = 8;
// Root, tensor, shape.
constexpr int max_depth = 3;
// Stands for types that TensorType does not name.
constexpr auto unusable = static_cast<TensorType>(0xffffffffU);

struct TypeEntry {
  std::string_view name;
  std::uint64_t bytes;
  TensorType type;
};

// Unusable types are listed so that their sizes are checked.
constexpr std::array type_table{
    TypeEntry{"F32", 4, TensorType::f32},   TypeEntry{"F16", 2, TensorType::f16},
    TypeEntry{"BF16", 2, TensorType::bf16}, TypeEntry{"F64", 8, unusable},
    TypeEntry{"I64", 8, type_i64},          TypeEntry{"U64", 8, unusable},
    TypeEntry{"I32", 4, type_i32},          TypeEntry{"U32", 4, unusable},
    TypeEntry{"I16", 2, unusable},          TypeEntry{"U16", 2, unusable},
    TypeEntry{"I8", 1, unusable},           TypeEntry{"U8", 1, unusable},
    TypeEntry{"BOOL", 1, unusable},         TypeEntry{"F8_E4M3", 1, unusable},
    TypeEntry{"F8_E5M2", 1, unusable},
};

struct Entry {
  TensorInfo tensor;
  std::string dtype;
};

class Reader {
 public:
  Reader(std::span<const std::byte> file, const std::filesystem::path& path)
      : file_(file), path_(path) {}

  SafetensorsHeader read() {
    const json header = parse(header_text());
    std::vector<Entry> entries;
    for (const auto& [name, value] : header.items())
      if (name != "__metadata__")
        entries.push_back(read_entry(name, value));
    std::ranges::sort(entries, {}, [](const Entry& entry) {
      return std::tuple(entry.tensor.offset, entry.tensor.data.size(),
                        std::string_view(entry.tensor.name));
    });
    check_cover(entries);
    SafetensorsHeader result;
    for (Entry& entry : entries) {
      result.tensors.push_back(std::move(entry.tensor));
      result.dtypes.push_back(std::move(entry.dtype));
    }
    return result;
  }

 private:
  [[noreturn]] void fail(std::uint64_t offset, const std::string& what) const {
    throw ModelError(path_.string() + ": at byte " + std::to_string(offset) + ": " + what +
                     ". The file is damaged, incomplete or made by a broken tool: get it again.");
  }

  [[noreturn]] void fail(const std::string& name, const std::string& what) const {
    fail(8, "tensor '" + printable(name) + "' " + what);
  }

  /// Finds header and data section.
  std::string_view header_text() {
    const std::string_view text(reinterpret_cast<const char*>(file_.data()), file_.size());
    if (text.starts_with("version https://git-lfs")) {
      throw ModelError(path_.string() +
                       ": is a Git LFS pointer, not the model itself. Run `git lfs pull`.");
    }
    std::uint64_t size = 0;
    if (file_.size() < sizeof size + 2) {
      fail(0, "the file has " + std::to_string(file_.size()) +
                  " bytes, which is too short for a safetensors file");
    }
    std::memcpy(&size, file_.data(), sizeof size);
    const std::uint64_t most =
        std::min<std::uint64_t>(file_.size() - sizeof size, max_header_bytes);
    if (size < 2 || size > most || text[sizeof size] != '{') {
      throw ModelError(path_.string() + ": at byte 0: is not a safetensors file: it begins with '" +
                       printable(text.substr(0, 9)) + "', expected the size of a JSON header (at " +
                       "most " + std::to_string(most) + ") and the header. Give a checkpoint in " +
                       "safetensors format, complete.");
    }
    data_begin_ = sizeof size + size;
    return text.substr(sizeof size, size);
  }

  json parse(std::string_view text) const {
    std::set<std::string> names;
    const auto check = [&](int depth, json::parse_event_t event, json& value) {
      if (event == json::parse_event_t::key && depth == 1 &&
          !names.insert(value.get<std::string>()).second)
        fail(value.get<std::string>(), "appears twice");
      const bool is_start =
          event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
      if (is_start && depth >= max_depth)
        fail(8, "the header's JSON is nested more than " + std::to_string(max_depth) + " deep");
      return true;
    };
    try {
      return json::parse(text.begin(), text.end(), check);
    } catch (const json::parse_error& error) {
      fail(8 + error.byte, "the header is no sound JSON");
    } catch (const json::exception&) {
      fail(8, "the header is no sound JSON");
    }
  }

  /// An array of `least` to `most` numbers.
  std::vector<std::uint64_t> numbers(const std::string& name, const json& entry, const char* key,
                                     std::size_t least, std::size_t most) const {
    const auto it = entry.find(key);
    const bool is_array = it != entry.end() && it->is_array();
    if (!is_array || it->size() < least || it->size() > most ||
        !std::ranges::all_of(*it, [](const json& x) { return x.is_number_unsigned(); })) {
      fail(name, std::string("has no ") + key + " of " +
                     (least == most ? "" : std::to_string(least) + " to ") + std::to_string(most) +
                     " integers that are not negative");
    }
    return it->get<std::vector<std::uint64_t>>();
  }

  Entry read_entry(const std::string& name, const json& value) const {
    if (!value.is_object())
      fail(name, "is described by a JSON " + std::string(value.type_name()) + ", not an object");
    const auto dtype = value.find("dtype");
    if (dtype == value.end() || !dtype->is_string())
      fail(name, "has no dtype");
    Entry entry;
    entry.dtype = dtype->get<std::string>();
    entry.tensor.name = name;
    entry.tensor.shape = numbers(name, value, "shape", 0, max_dimensions);
    std::ranges::reverse(entry.tensor.shape);
    std::uint64_t elements = 1;
    for (const std::uint64_t size : entry.tensor.shape)
      if (__builtin_mul_overflow(elements, size, &elements))
        fail(name, "has an impossible shape");
    place(numbers(name, value, "data_offsets", 2, 2), elements, entry);
    return entry;
  }

  /// Finds the tensor's bytes and checks that they are as many as its type and shape say.
  void place(const std::vector<std::uint64_t>& offsets, std::uint64_t elements,
             Entry& entry) const {
    const std::uint64_t left = file_.size() - data_begin_;
    const std::uint64_t begin = offsets[0];
    const std::uint64_t end = offsets[1];
    const std::string range = std::to_string(begin) + " to " + std::to_string(end);
    if (begin > end || end > left) {
      fail(entry.tensor.name, "does not fit: its data_offsets are " + range +
                                  ", but the file has " + std::to_string(left) +
                                  " bytes after the header");
    }
    entry.tensor.offset = data_begin_ + begin;
    entry.tensor.data = file_.subspan(entry.tensor.offset, end - begin);
    const auto* type = std::ranges::find(type_table, entry.dtype, &TypeEntry::name);
    entry.tensor.type = type == type_table.end() ? unusable : type->type;
    std::uint64_t bytes = 0;
    if (type != type_table.end() &&
        (__builtin_mul_overflow(elements, type->bytes, &bytes) || bytes != end - begin)) {
      fail(entry.tensor.name, "has data_offsets " + range + ", which is not the size of " +
                                  std::to_string(elements) + " values of type " + entry.dtype);
    }
  }

  /// Gaps and overlaps are a sign of a broken or malicious file.
  void check_cover(const std::vector<Entry>& entries) const {
    std::uint64_t end = data_begin_;
    for (const Entry& entry : entries) {
      if (entry.tensor.offset != end) {
        const bool is_gap = entry.tensor.offset > end;
        fail(entry.tensor.offset, "tensor '" + printable(entry.tensor.name) + "' " +
                                      (is_gap ? "leaves a gap after" : "overlaps with") +
                                      " the tensor before it, which " + "ends at byte " +
                                      std::to_string(end));
      }
      end += entry.tensor.data.size();
    }
    if (end != file_.size()) {
      fail(end, "the last tensor ends here, but the file has " + std::to_string(file_.size()) +
                    " bytes");
    }
  }

  std::span<const std::byte> file_;
  const std::filesystem::path& path_;
  std::uint64_t data_begin_ = 0;
};

}  // namespace

SafetensorsHeader read_safetensors_header(std::span<const std::byte> bytes,
                                          const std::filesystem::path& path) {
  return Reader(bytes, path).read();
}

}  // namespace flowspec
