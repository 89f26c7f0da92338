#pragma once

#include <string>

namespace flowspec::test {

/// The little-endian bytes of a number.
template <class T>
std::string bytes_of(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace flowspec::test
