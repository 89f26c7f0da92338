#include "tests/support/screen.hpp"

#include <algorithm>

namespace flowspec::test {

namespace {

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

std::size_t character_size(char first) {
  auto byte = static_cast<unsigned char>(first);
  return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
}

}  // namespace

void Screen::write(std::string_view bytes) {
  for (char c : bytes) {
    bool is_in_escape = !pending_.empty() && pending_[0] == '\033';
    if (is_in_escape) {
      pending_ += c;
      // "ESC [ parameters letter", or a single character.
      bool goes_on = pending_.size() == 2 ? c == '[' : c < '@';
      if (!goes_on)
        finish_escape();
    } else if (!pending_.empty() || static_cast<unsigned char>(c) >= 0x80) {
      pending_ += c;
      if (pending_.size() == character_size(pending_[0]) ||
          !is_continuation(c) != (pending_.size() == 1)) {
        put(pending_);
        pending_.clear();
      }
    } else if (c == '\033') {
      pending_ = c;
    } else if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) {
      control(c);
    } else {
      put({&c, 1});
    }
  }
}

std::string Screen::text() const {
  std::string all;
  for (const auto& cells : lines_) {
    std::string text;
    for (const std::string& cell : cells)
      text += cell;
    auto end = text.find_last_not_of(' ');
    all += text.substr(0, end == std::string::npos ? 0 : end + 1) + "\n";
  }
  auto end = all.find_last_not_of('\n');
  return end == std::string::npos ? "" : all.substr(0, end + 1) + "\n";
}

void Screen::put(std::string_view character) {
  if (column_ >= columns_) {
    ++row_;
    column_ = 0;
  }
  auto& cells = line();
  if (cells.size() <= column_)
    cells.resize(column_ + 1, " ");
  cells[column_++] = character;
}

void Screen::control(char c) {
  switch (c) {
    case '\r':
      column_ = 0;
      break;
    case '\n':
      ++row_;
      line();
      break;
    case '\b':
      column_ -= column_ > 0 ? 1 : 0;
      break;
    case '\t':
      column_ = (column_ / 8 + 1) * 8;
      break;
    default:
      surprises_ += "control character " + std::to_string(c) + "; ";
  }
}

void Screen::finish_escape() {
  if (pending_ == "\033[K")
    line().resize(std::min(column_, line().size()));
  else if (pending_.back() != 'm')
    surprises_ += "escape " + pending_.substr(1) + "; ";
  pending_.clear();
}

std::vector<std::string>& Screen::line() {
  if (lines_.size() <= row_)
    lines_.resize(row_ + 1);
  return lines_[row_];
}

}  // namespace flowspec::test
