#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flowspec {

/// A text to be continued.
struct BenchPrompt {
  std::string text;
};

/// Prompts of a file: one JSON object with "prompt" per line where the first line begins with {,
/// else one prompt per line. Empty lines are skipped. `name` is the file's, for errors, which say
/// the line. Throws RuntimeError; also where there is no prompt at all.
std::vector<BenchPrompt> parse_prompts(std::string_view text, const std::string& name);
std::vector<BenchPrompt> read_prompts(const std::filesystem::path& file);

/// The first `count` of them; without a count the first `usual`, or all if there are fewer. Throws
/// RuntimeError if there are fewer than `count`.
std::vector<BenchPrompt> take_prompts(std::vector<BenchPrompt> prompts, const std::string& name,
                                      std::optional<std::uint32_t> count, std::uint32_t usual);

}  // namespace flowspec
