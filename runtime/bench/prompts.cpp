#include "runtime/bench/prompts.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/console/read_file.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::json;

bool is_space(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

std::string prompt_of(std::string_view line, const std::string& where) {
  auto json = Json::parse(line, nullptr, false);
  if (json.is_discarded())
    throw RuntimeError(
        fmt::format("{}: no JSON, though the file's first line begins with {{. Every line has to "
                    "be an object like {{\"prompt\": \"Once upon a time\"}}.",
                    where));
  if (!json.is_object() || !json.contains("prompt") || !json["prompt"].is_string())
    throw RuntimeError(fmt::format("{}: has to be an object with a text \"prompt\"", where));
  auto prompt = json["prompt"].get<std::string>();
  if (prompt.empty())
    throw RuntimeError(fmt::format("{}: \"prompt\" is empty; give it a text", where));
  return prompt;
}

}  // namespace

std::vector<BenchPrompt> parse_prompts(std::string_view text, const std::string& name) {
  std::vector<BenchPrompt> prompts;
  std::optional<bool> is_json;
  for (std::size_t number = 1; !text.empty(); ++number) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (is_space(line))
      continue;
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    if (!is_json)
      is_json = line.starts_with('{');
    auto where = fmt::format("{}, line {}", name, number);
    prompts.push_back({*is_json ? prompt_of(line, where) : std::string(line)});
  }
  if (prompts.empty())
    throw RuntimeError(fmt::format("{} has no prompts; give it one per line", name));
  return prompts;
}

std::vector<BenchPrompt> read_prompts(const std::filesystem::path& file) {
  return parse_prompts(read_file(file, "prompts file (--prompts)", most_text),
                       one_line(file.string()));
}

std::vector<BenchPrompt> take_prompts(std::vector<BenchPrompt> prompts, const std::string& name,
                                      std::optional<std::uint32_t> count, std::uint32_t usual,
                                      std::uint32_t skipped) {
  if (skipped >= prompts.size())
    throw RuntimeError(fmt::format("{} has {} prompts, --skip-prompts {} leaves none", name,
                                   prompts.size(), skipped));
  prompts.erase(prompts.begin(), prompts.begin() + skipped);
  if (count && *count > prompts.size())
    throw RuntimeError(fmt::format(
        "{} has {} prompts{}, --prompt-count asks for {}; take at most what there is", name,
        prompts.size(), skipped > 0 ? fmt::format(" behind the first {}", skipped) : "", *count));
  prompts.resize(std::min<std::size_t>(prompts.size(), count.value_or(usual)));
  return prompts;
}

}  // namespace flowspec
