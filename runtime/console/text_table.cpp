#include "runtime/console/text_table.hpp"

#include <algorithm>
#include <utility>

namespace flowspec {

namespace {

constexpr std::size_t gap = 2;

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

}  // namespace

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

std::string end_of(std::string_view text, std::size_t most) {
  auto width = width_of(text);
  if (width <= most)
    return std::string(text);
  for (; width >= most; --width) {
    text.remove_prefix(1);
    while (!text.empty() && !begins_character(text[0]))
      text.remove_prefix(1);
  }
  return std::string("…").append(text);
}

TextTable::TextTable(std::vector<std::string> headings) : widths_(headings.size()) {
  for (std::size_t i = 0; i < headings.size(); ++i) {
    std::string_view rest = headings[i];
    for (std::size_t l = 0; !rest.empty(); ++l) {
      auto line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      if (headings_.size() <= l)
        headings_.emplace_back(headings.size());
      headings_[l][i] = line;
      widths_[i] = std::max(widths_[i], width_of(line));
    }
  }
  // Short headings stand above the figures.
  for (std::size_t i = 0; i < headings.size(); ++i)
    while (headings_.back()[i].empty() && !headings[i].empty())
      for (std::size_t l = headings_.size(); l-- > 0;)
        headings_[l][i] = l == 0 ? "" : headings_[l - 1][i];
}

void TextTable::add(std::vector<std::string> cells) {
  cells.resize(widths_.size());
  for (std::size_t i = 0; i < cells.size(); ++i)
    widths_[i] = std::max(widths_[i], width_of(cells[i]));
  lines_.push_back(std::move(cells));
}

std::string TextTable::part(const std::vector<std::size_t>& which) const {
  std::string text;
  auto put = [&](const Line& line) {
    auto words = line[0];
    words.append(widths_[0] - width_of(line[0]), ' ');
    for (std::size_t column : which)
      words.append(gap + widths_[column] - width_of(line[column]), ' ').append(line[column]);
    words.resize(words.find_last_not_of(' ') + 1);
    text.append(words) += '\n';
  };
  for (const Line& heading : headings_) {
    auto is_there = [&](std::size_t column) { return !heading[column].empty(); };
    if (!heading[0].empty() || std::ranges::any_of(which, is_there))
      put(heading);
  }
  std::ranges::for_each(lines_, put);
  return text;
}

std::string TextTable::text(std::size_t columns) const {
  std::string text;
  std::vector<std::size_t> which;
  auto width = widths_[0];
  auto end_part = [&] {
    text.append(text.empty() ? "" : "\n").append(part(which));
    which.clear();
    width = widths_[0];
  };
  for (std::size_t column = 1; column < widths_.size(); ++column) {
    if (!which.empty() && width + gap + widths_[column] > columns)
      end_part();
    which.push_back(column);
    width += gap + widths_[column];
  }
  end_part();
  return text;
}

}  // namespace flowspec
