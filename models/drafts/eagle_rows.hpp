#pragma once
/// How the rows of a tree become rows of an EAGLE head. Internal to models/drafts.

#include <cassert>
#include <span>

#include "models/kv/kv_cache.hpp"

namespace flowspec {

/// The row's context without the text's first position, which has no row in a head.
inline RowContext shifted(const RowContext& row) {
  assert(row.prefix.size() + row.tail.size() == std::size_t{row.position} + 1);
  assert(!row.tail.empty() && row.tail.back() == row.slot && row.cache != nullptr);
  RowContext result = row;
  --result.position;
  std::span<const Slot>& first = row.prefix.empty() ? result.tail : result.prefix;
  first = first.subspan(1);
  return result;
}

}  // namespace flowspec
