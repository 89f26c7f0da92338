#include "models/formats/gguf_parts.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"

namespace flowspec {
namespace {

namespace fs = std::filesystem;

// The largest published models have about a hundred.
constexpr std::uint64_t max_parts = 1024;
constexpr std::size_t digits = 5;
constexpr std::string_view extension = ".gguf";

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw ModelError(path.string() + ": " + what +
                   ". Put all parts of the model, and no others, into one folder under the names "
                   "that they were published with.");
}

/// A part's number, from 1, and the number of parts.
struct PartNumber {
  std::uint64_t number = 0;
  std::uint64_t count = 1;
};

std::string padded(std::uint64_t number) {
  const std::string text = std::to_string(number);
  return std::string(digits - std::min(digits, text.size()), '0') + text;
}

/// "-00002-of-00003.gguf", the end of a part's name.
std::string suffix_of(const PartNumber& part) {
  std::string suffix(1, '-');
  suffix += padded(part.number);
  suffix += "-of-";
  suffix += padded(part.count);
  suffix += extension;
  return suffix;
}

/// The numbers in the file's name; nothing if it is not the name of a part.
std::optional<PartNumber> part_in_name(const std::string& name) {
  constexpr std::size_t size = std::string_view("-00001-of-00001.gguf").size();
  if (name.size() < size)
    return std::nullopt;
  const std::string suffix = name.substr(name.size() - size);
  PartNumber part;
  std::from_chars(&suffix[1], &suffix[1] + digits, part.number);
  std::from_chars(&suffix[size - extension.size() - digits], &suffix[size - extension.size()],
                  part.count);
  return suffix == suffix_of(part) ? std::optional(part) : std::nullopt;
}

/// The model's name: the file's name without the part number.
std::string model_name(const std::string& name) {
  const auto part = part_in_name(name);
  return part ? name.substr(0, name.size() - suffix_of(*part).size()) : name;
}

/// The value of a key that counts something; nothing if it is missing.
std::optional<std::uint64_t> find_count(const GgufPart& part, std::string_view key) {
  const auto it = part.header.metadata.find(key);
  if (it == part.header.metadata.end())
    return std::nullopt;
  const auto value = to_uint(it->second);
  if (!value)
    fail(part.path, "the metadata key '" + std::string(key) + "' is not a number from 0 on");
  return value;
}

PartNumber part_in_header(const GgufPart& part) {
  const std::uint64_t count = find_count(part, "split.count").value_or(1);
  const std::uint64_t index = find_count(part, "split.no").value_or(0);
  if (count > max_parts || (count > 1 && index >= count)) {
    fail(part.path, "says that it is part " + std::to_string(index) + " (from 0 on) of " +
                        std::to_string(count) + ", expected at most " + std::to_string(max_parts) +
                        " parts");
  }
  return {index + 1, count};
}

std::string describe(const PartNumber& part) {
  return "part " + std::to_string(part.number) + " of " + std::to_string(part.count);
}

void check_name(const GgufPart& part, const PartNumber& number) {
  if (!part.path.filename().string().ends_with(suffix_of(number))) {
    fail(part.path, "is " + describe(number) + " of a model, so its name should end with '" +
                        suffix_of(number) + "'");
  }
}

/// The paths of all parts, each of which exists.
std::vector<fs::path> find_parts(const GgufPart& any, const PartNumber& number) {
  const std::string name = any.path.filename().string();
  std::vector<fs::path> paths;
  std::string missing;
  std::size_t missing_count = 0;
  for (std::uint64_t i = 1; i <= number.count; ++i) {
    paths.push_back(any.path.parent_path() / (model_name(name) + suffix_of({i, number.count})));
    std::error_code ignored;  // opening it reports the error
    if (!fs::exists(paths.back(), ignored) && !ignored) {
      constexpr std::size_t most = 4;
      missing += ++missing_count > most
                     ? ""
                     : (missing.empty() ? "" : ", ") + printable(paths.back().filename().string());
    }
  }
  if (missing_count != 0) {
    fail(any.path, "is " + describe(number) + " of a model, of which " +
                       std::to_string(missing_count) + " are missing: " + missing);
  }
  return paths;
}

/// Checks that keys which the first part also has are the same in this part.
void check_metadata(const GgufPart& first, const GgufPart& part) {
  constexpr const char* tensors = "split.tensors.count";
  if (find_count(first, tensors) != find_count(part, tensors)) {
    fail(part.path, "is of another model than " + printable(first.path.filename().string()) +
                        ": the metadata key '" + tensors + "' differs");
  }
  for (const auto& [key, value] : part.header.metadata) {
    if (key == "general.alignment" || key.starts_with("split."))
      continue;
    const auto it = first.header.metadata.find(key);
    if (it != first.header.metadata.end() && !std::ranges::equal(it->second.bytes, value.bytes)) {
      fail(part.path, "is of another model than " + printable(first.path.filename().string()) +
                          ": the metadata key '" + printable(key) + "' differs");
    }
  }
}

/// Checks that the parts have as many tensors as the first one says, and that all names differ.
void check_tensors(const std::vector<GgufPart>& parts) {
  std::map<std::string_view, const GgufPart*> owners;
  for (const GgufPart& part : parts) {
    for (const TensorInfo& tensor : part.header.tensors) {
      const auto [it, is_new] = owners.emplace(tensor.name, &part);
      if (!is_new) {
        fail(part.path, "has the tensor '" + printable(tensor.name) + "', which " +
                            printable(it->second->path.filename().string()) + " has too");
      }
    }
  }
  const auto expected = find_count(parts[0], "split.tensors.count");
  if (expected && *expected != owners.size()) {
    fail(parts[0].path, "says that the model has " + std::to_string(*expected) +
                            " tensors (split.tensors.count), but its " +
                            std::to_string(parts.size()) + " parts have " +
                            std::to_string(owners.size()));
  }
}

}  // namespace

GgufPart::GgufPart(const fs::path& file)
    : path(file),
      mapping(std::make_shared<FileMapping>(file)),
      header(read_gguf_header(mapping->bytes(), file)) {}

std::vector<GgufPart> open_gguf_parts(const fs::path& path) {
  std::vector<GgufPart> parts;
  parts.emplace_back(path);
  const PartNumber number = part_in_header(parts[0]);
  if (number.count <= 1)
    return parts;
  check_name(parts[0], number);
  const std::vector<fs::path> paths = find_parts(parts[0], number);
  parts.clear();
  for (const fs::path& part : paths) {
    parts.emplace_back(part);
    const PartNumber expected{parts.size(), number.count};
    const PartNumber found = part_in_header(parts.back());
    if (found.number != expected.number || found.count != expected.count) {
      fail(part, "has the name of " + describe(expected) + ", but its metadata says that it is " +
                     describe(found));
    }
    check_metadata(parts[0], parts.back());
  }
  check_tensors(parts);
  return parts;
}

std::optional<fs::path> find_gguf_in(const fs::path& folder) {
  // By the model's name and number of parts: the first of its files.
  std::map<std::pair<std::string, std::uint64_t>, fs::path> models;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator{}; entry.increment(error)) {
    std::error_code ignored;  // what cannot be examined is no model
    const std::string name = entry->path().filename().string();
    if (!name.ends_with(extension) || !entry->is_regular_file(ignored))
      continue;
    const std::uint64_t count = part_in_name(name).value_or(PartNumber{}).count;
    fs::path& file = models[{model_name(name), count}];
    file = file.empty() ? entry->path() : std::min(file, entry->path());
  }
  if (models.empty())
    return std::nullopt;
  if (models.size() > 1) {
    constexpr std::size_t most = 8;
    std::string list;
    std::size_t listed = 0;
    for (const auto& [model, file] : models) {
      list +=
          ++listed > most ? "" : (list.empty() ? "" : ", ") + printable(file.filename().string());
    }
    throw ModelError(folder.string() + ": holds " + std::to_string(models.size()) +
                     " models: " + list + (models.size() > most ? ", ..." : "") +
                     ". Give the file of one of them.");
  }
  return models.begin()->second;
}

}  // namespace flowspec
