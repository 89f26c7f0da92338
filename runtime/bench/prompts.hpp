#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flowspec {

/// A text to continue.
struct BenchPrompt {
  std::string text;
};

/// The prompts of a file: if the first line begins with {, one JSON object with "prompt" per line,
/// else one prompt per line. Empty lines are skipped. `name` is the file's name, for errors, which
/// also give the line. Throws RuntimeError; also if there is no prompt at all.
std::vector<BenchPrompt> parse_prompts(std::string_view text, const std::string& name);
std::vector<BenchPrompt> read_prompts(const std::filesystem::path& file);

/// The first `count` prompts behind the first `skipped`; without a count the first `usual`, or all
/// if there are fewer. Throws RuntimeError if there are fewer than `count`, or none.
std::vector<BenchPrompt> take_prompts(std::vector<BenchPrompt> prompts, const std::string& name,
                                      std::optional<std::uint32_t> count, std::uint32_t usual,
                                      std::uint32_t skipped = 0);

}  // namespace flowspec
