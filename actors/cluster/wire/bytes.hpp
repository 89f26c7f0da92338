#pragma once
/// Numbers as they stand on the wire: big-endian, read with a check of every bound.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace flowspec {

using Bytes = std::span<const std::byte>;

inline Bytes bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// Reads from the front. After the first read that goes beyond the end, `ok` is false and all
/// further reads give zeros.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : left_(bytes) {}

  bool ok() const { return ok_; }
  std::size_t left() const { return left_.size(); }

  Bytes take(std::size_t size) {
    if (!ok_ || size > left_.size()) {
      ok_ = false;
      return {};
    }
    auto taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }

  template <class Number>
  Number number() {
    Number value = 0;
    for (std::byte byte : take(sizeof(Number)))
      value = static_cast<Number>((std::uint64_t{value} << 8U) | std::to_integer<Number>(byte));
    return value;
  }

  std::string_view text(std::size_t size) {
    auto taken = take(size);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

 private:
  Bytes left_;
  bool ok_ = true;
};

/// Appends to a text of bytes.
class ByteWriter {
 public:
  template <class Number>
  ByteWriter& number(Number value) {
    for (int shift = (static_cast<int>(sizeof(Number)) - 1) * 8; shift >= 0; shift -= 8)
      bytes_ += static_cast<char>((std::uint64_t{value} >> static_cast<unsigned>(shift)) & 0xffU);
    return *this;
  }
  ByteWriter& text(std::string_view text) {
    bytes_ += text;
    return *this;
  }

  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

}  // namespace flowspec
