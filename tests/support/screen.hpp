#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace flowspec::test {

/// Emulates what a terminal shows for the bytes that it gets: text that wraps, \r \n \b \t, "erase
/// to the end of the line", colours (which are ignored). It never scrolls. Any other escape is an
/// error.
class Screen {
 public:
  explicit Screen(std::size_t columns) : columns_(columns) {}

  void write(std::string_view bytes);
  /// Existing content stays as it is.
  void resize(std::size_t columns) { columns_ = columns; }

  /// All lines, without spaces at their ends and empty lines at the end.
  std::string text() const;
  /// Escapes and control characters that only a program for a special terminal would write.
  const std::string& surprises() const { return surprises_; }

 private:
  void put(std::string_view character);
  void control(char c);
  void finish_escape();
  std::vector<std::string>& line();

  std::size_t columns_;
  std::size_t row_ = 0;
  std::size_t column_ = 0;
  std::vector<std::vector<std::string>> lines_;
  /// An escape or a character that is not complete yet.
  std::string pending_;
  std::string surprises_;
};

}  // namespace flowspec::test
