#pragma once
/// Tables for people, no wider than a terminal.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace flowspec {

/// The width of a usual terminal.
inline constexpr std::size_t usual_columns = 80;

/// Number of characters of UTF-8 text; no character counts as wide.
std::size_t width_of(std::string_view text);

/// At most `most` characters of a text: if it has more, "…" and its end.
std::string end_of(std::string_view text, std::size_t most);

/// Words in the first column, figures in the others. If the columns do not fit in a line, the table
/// is cut into several, one below the other, each with the first column.
class TextTable {
 public:
  /// Headings may have several lines.
  explicit TextTable(std::vector<std::string> headings);

  /// No more cells than headings.
  void add(std::vector<std::string> cells);
  /// Lines have at most `columns` characters, unless the first column and one more are wider.
  std::string text(std::size_t columns = usual_columns) const;

 private:
  using Line = std::vector<std::string>;

  std::string part(const std::vector<std::size_t>& which) const;

  /// Lines of the headings.
  std::vector<Line> headings_;
  std::vector<Line> lines_;
  std::vector<std::size_t> widths_;
};

}  // namespace flowspec
