#include "models/tokenizer/merge_table.hpp"

namespace flowspec {
namespace {

std::uint64_t key_of(std::int32_t left, std::int32_t right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
         static_cast<std::uint32_t>(right);
}

}  // namespace

std::int32_t MergeTable::symbol(const std::string& text) {
  const auto [it, is_new] = ids_.try_emplace(text, next_id_);
  next_id_ += is_new ? 1 : 0;
  return it->second;
}

void MergeTable::add_merge(const std::string& left, const std::string& right) {
  const std::uint64_t key = key_of(symbol(left), symbol(right));
  merges_.try_emplace(key, Merge{-static_cast<double>(merge_count_), symbol(left + right)});
  ++merge_count_;
}

std::int32_t MergeTable::find(std::string_view text) const {
  const auto it = ids_.find(text);
  return it == ids_.end() ? -1 : it->second;
}

std::optional<Merge> MergeTable::find_merge(const Symbol& left, const Symbol& right) const {
  if (left.id < 0 || right.id < 0)
    return std::nullopt;
  const auto it = merges_.find(key_of(left.id, right.id));
  return it == merges_.end() ? std::nullopt : std::optional(it->second);
}

}  // namespace flowspec
