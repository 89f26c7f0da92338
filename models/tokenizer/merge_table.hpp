#pragma once
/// Internal to models/tokenizer.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "models/tokenizer/merger.hpp"

namespace flowspec {

/// The merges of a byte-pair vocabulary: which two symbols become which. A symbol is a token, or an
/// intermediate step to one that is no token itself; such steps have ids from `token_count` on.
class MergeTable {
 public:
  explicit MergeTable(std::size_t token_count) : next_id_(static_cast<std::int32_t>(token_count)) {}

  /// If several tokens have the same text, the last counts.
  void add_token(std::string text, std::int32_t id) { ids_[std::move(text)] = id; }
  /// Merges that are added earlier have priority. Of equal pairs the first counts. Call it after
  /// `add_token`.
  void add_merge(const std::string& left, const std::string& right);

  /// The symbol with this text; -1 if there is none.
  std::int32_t find(std::string_view text) const;
  std::optional<Merge> find_merge(const Symbol& left, const Symbol& right) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  std::int32_t symbol(const std::string& text);

  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
  /// By both ids, the left one in the upper half.
  std::unordered_map<std::uint64_t, Merge> merges_;
  std::int32_t next_id_;
  std::uint32_t merge_count_ = 0;
};

}  // namespace flowspec
