#pragma once
/// What the fuzzers share. A broken promise ends the program, which libFuzzer reports with the
/// input.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "models/config/config.hpp"
#include "models/formats/tensor_info.hpp"
#include "models/tokenizer/tokenizer.hpp"

namespace flowspec::fuzz {

/// Ends the program with `promise`, unless it holds.
void expect(bool holds, std::string_view promise);

/// Calls `read`, which may throw a ModelError. Its text has to begin with `place`, the file or
/// folder, and to be short and printable. Prints it where FLOWSPEC_FUZZ_ERRORS is set.
void expect_readable_or_refused(const std::filesystem::path& place,
                                const std::function<void()>& read);

/// A folder for all inputs of this process.
class Folder {
 public:
  /// Its files are these, and no others, from now on.
  static std::filesystem::path with(const std::map<std::string, std::string>& files);
};

/// Several files in one input, each between a line "--- NAME" and a line break. What stands before
/// the first of these lines is left out; of equal names the last counts.
std::map<std::string, std::string> split_files(std::string_view input,
                                               std::span<const std::string_view> names);

/// Reads everything that is said about tensors, and the values of those that can be computed with.
void use(std::span<const TensorInfo> tensors);
/// Looks whether the values are those that other code depends on.
void use(const ModelConfig& config);
/// Encodes `text` and decodes what comes out.
void use(const Tokenizer& tokenizer, std::string_view text);

}  // namespace flowspec::fuzz
