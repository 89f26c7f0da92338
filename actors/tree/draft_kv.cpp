#include "actors/tree/draft_kv.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace flowspec {

DraftKv::DraftKv(std::uint32_t slots, bool reads_features)
    : slots_(slots), reads_features_(reads_features) {}

void DraftKv::begin(Position kept, const DraftKv* previous, Position equal) {
  committed_ = kept;
  if (previous != nullptr) {
    exact_rows_ = std::min<std::size_t>(equal, previous->exact_rows_);
    committed_slots_.assign(
        previous->committed_slots_.begin(),
        previous->committed_slots_.begin() + static_cast<std::ptrdiff_t>(exact_rows_));
    if (reads_features_)
      committed_features_.insert(previous->committed_features_.begin(),
                                 previous->committed_features_.lower_bound(equal));
  }
  if (reads_features_)
    for (auto i = static_cast<Position>(std::max<std::size_t>(exact_rows_, 1)); i <= kept; ++i)
      committed_features_.try_emplace(i - 1);
  std::vector<bool> taken(slots_);
  for (Slot slot : committed_slots_)
    taken[slot] = true;
  for (Slot slot = slots_; slot > 0; --slot)
    if (!taken[slot - 1])
      free_.push_back(slot - 1);
}

void DraftKv::commit(TreeNodeId id, Entry& entry) {
  bool in_order = committed_rows_done();
  auto position = static_cast<Position>(committed_++);
  if (entry.slot != no_slot) {
    committed_slots_.push_back(std::exchange(entry.slot, no_slot));
    exact_rows_ += in_order && entry.row_is_exact ? 1 : 0;
  }
  if (!reads_features_)
    return;
  if (entry.feature_is_exact)
    committed_features_[position] = std::move(entry.feature);
  else
    awaited_[id] = position;
}

void DraftKv::forget_read_features() {
  if (exact_rows_ > 0)
    committed_features_.erase(
        committed_features_.begin(),
        committed_features_.lower_bound(static_cast<Position>(exact_rows_ - 1)));
}

void DraftKv::release(const Entry& entry) {
  if (entry.slot != no_slot)
    free_.push_back(entry.slot);
}

bool DraftKv::take_slot(Entry& entry, bool is_root) {
  if (entry.slot == no_slot) {
    if (free_.empty())
      return false;
    entry.slot = free_.back();
    free_.pop_back();
  }
  entry.row_is_exact = !reads_features_ || is_root;
  return true;
}

std::optional<Position> DraftKv::next_committed_row() const {
  if (committed_rows_done())
    return std::nullopt;
  auto position = static_cast<Position>(exact_rows_);
  bool known = !reads_features_ || position == 0 || knows_feature_before(position);
  bool room = exact_rows_ < committed_slots_.size() || !free_.empty();
  return known && room ? std::optional(position) : std::nullopt;
}

bool DraftKv::take_committed_row() {
  if (exact_rows_ == committed_slots_.size()) {
    if (free_.empty())
      return false;
    committed_slots_.push_back(free_.back());
    free_.pop_back();
  }
  ++exact_rows_;
  return true;
}

bool DraftKv::learn_committed(TreeNodeId id, std::span<const float> feature) {
  auto awaited = awaited_.find(id);
  if (awaited == awaited_.end())
    return false;
  committed_features_[awaited->second].assign(feature.begin(), feature.end());
  awaited_.erase(awaited);
  return true;
}

std::span<const float> DraftKv::feature_before(Position position) const {
  auto found = position > 0 ? committed_features_.find(position - 1) : committed_features_.end();
  return found != committed_features_.end() ? found->second : std::span<const float>{};
}

std::optional<std::string> DraftKv::broken_invariant(std::size_t held) const {
  if (committed_slots_.size() > committed_)
    return "more committed slots than tokens";
  if (exact_rows_ > committed_slots_.size())
    return "more committed draft rows than slots";
  held += committed_slots_.size() + free_.size();
  if (held != slots_)
    return fmt::format("{} draft KV slots are accounted for, of {}", held, slots_);
  return std::nullopt;
}

}  // namespace flowspec
