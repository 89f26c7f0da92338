#include "models/drafts/draft_cache.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "models/formats/user_cache.hpp"

namespace flowspec {
namespace {

namespace fs = std::filesystem;

/// Limits of the file. The names that were used longest ago are dropped first.
constexpr std::size_t max_lines = 200;
constexpr std::size_t max_line = 300;

struct Line {
  std::string name;
  DraftCache::Numbers numbers{};
};

/// "NAME NUMBER NUMBER NUMBER NUMBER"; false for anything else.
bool parse(const std::string& text, Line& line) {
  std::istringstream in(text);
  in >> line.name;
  for (double& number : line.numbers)
    in >> number;
  std::string rest;
  return !in.fail() && !(in >> rest);
}

std::vector<Line> read_lines(const fs::path& file) {
  std::vector<Line> lines;
  std::error_code error;
  if (!fs::is_regular_file(file, error) || fs::file_size(file, error) > max_lines * max_line ||
      error)
    return lines;
  std::ifstream in(file);
  Line line;
  for (std::string text; std::getline(in, text);)
    if (parse(text, line))
      lines.push_back(line);
  return lines;
}

}  // namespace

std::optional<DraftCache::Numbers> DraftCache::find(const std::string& name) const {
  const auto lines = read_lines(file_);
  const auto found = std::ranges::find(lines, name, &Line::name);
  return found != lines.end() ? std::optional(found->numbers) : std::nullopt;
}

void DraftCache::keep(const std::string& name, const Numbers& numbers) const {
  if (file_.empty() || name.size() > max_line / 2)
    return;
  auto lines = read_lines(file_);
  std::erase_if(lines, [&name](const Line& line) { return line.name == name; });
  lines.push_back({name, numbers});
  const std::size_t dropped = lines.size() - std::min(lines.size(), max_lines);
  std::ostringstream out;
  for (std::size_t i = dropped; i < lines.size(); ++i) {
    out << lines[i].name;
    for (const double number : lines[i].numbers)
      out << ' ' << number;
    out << '\n';
  }
  replace_file(file_, out.str());
}

DraftCache user_draft_cache() {
  const auto folder = user_cache_folder();
  return DraftCache(folder.empty() ? fs::path{} : folder / "drafts");
}

}  // namespace flowspec
