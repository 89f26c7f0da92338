#include "actors/tree/draft_kv.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace flowspec {

DraftKv::DraftKv(std::shared_ptr<SlotPool> pool, std::uint32_t slots, bool reads_features)
    : pool_(std::move(pool)), slots_(slots), reads_features_(reads_features) {}

DraftKv::~DraftKv() {
  if (pool_ != nullptr)
    for (auto slot : committed_slots_)
      pool_->release(slot);
}

std::uint32_t DraftKv::free_slots() const {
  return std::min(slots_ - std::min(slots_, held_), pool_->left());
}

std::optional<Slot> DraftKv::take() {
  auto slot = held_ < slots_ ? pool_->take(last_taken_) : std::nullopt;
  if (slot) {
    last_taken_ = slot;
    ++held_;
  }
  return slot;
}

void DraftKv::begin(Position kept, const DraftKv* previous, Position equal) {
  committed_ = kept;
  if (previous != nullptr) {
    exact_rows_ = std::min<std::size_t>(equal, previous->exact_rows_);
    committed_slots_.assign(
        previous->committed_slots_.begin(),
        previous->committed_slots_.begin() + static_cast<std::ptrdiff_t>(exact_rows_));
    for (auto slot : committed_slots_)
      pool_->share(slot);
    held_ = static_cast<std::uint32_t>(committed_slots_.size());
    if (reads_features_)
      committed_features_.insert(previous->committed_features_.begin(),
                                 previous->committed_features_.lower_bound(equal));
  }
  if (reads_features_)
    for (auto i = static_cast<Position>(std::max<std::size_t>(exact_rows_, 1)); i <= kept; ++i)
      committed_features_.try_emplace(i - 1);
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

void DraftKv::release(Entry& entry) {
  if (entry.slot == no_slot)
    return;
  pool_->release(std::exchange(entry.slot, no_slot));
  --held_;
}

bool DraftKv::take_slot(Entry& entry, bool is_root) {
  if (entry.slot == no_slot) {
    auto slot = take();
    if (!slot)
      return false;
    entry.slot = *slot;
  }
  entry.row_is_exact = !reads_features_ || is_root;
  return true;
}

std::optional<Position> DraftKv::next_committed_row() const {
  if (committed_rows_done())
    return std::nullopt;
  auto position = static_cast<Position>(exact_rows_);
  bool known = !reads_features_ || position == 0 || knows_feature_before(position);
  bool room = exact_rows_ < committed_slots_.size() || free_slots() > 0;
  return known && room ? std::optional(position) : std::nullopt;
}

bool DraftKv::take_committed_row() {
  if (exact_rows_ == committed_slots_.size()) {
    auto slot = take();
    if (!slot)
      return false;
    committed_slots_.push_back(*slot);
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
  held += committed_slots_.size();
  if (held != held_)
    return fmt::format("{} draft KV slots are accounted for, of {}", held, held_);
  return std::nullopt;
}

}  // namespace flowspec
