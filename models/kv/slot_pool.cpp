#include "models/kv/slot_pool.hpp"

#include <algorithm>
#include <cassert>

namespace flowspec {

SlotPool::SlotPool(std::uint32_t capacity, std::uint32_t usable)
    : capacity_(capacity), usable_(std::min(usable, capacity)) {}

void SlotPool::allow(std::uint32_t usable) {
  usable_ = std::min(usable, capacity_);
  is_stopped_ = false;
}

std::optional<Slot> SlotPool::take(std::optional<Slot> near) {
  if (used_ >= usable_)
    return std::nullopt;
  if (near && *near / block_slots < blocks_.size())
    if (auto slot = take_in(*near / block_slots))
      return slot;
  for (auto block : empty_)
    if (auto slot = take_in(block))
      return slot;
    else
      break;  // the others lie higher still
  auto fresh = static_cast<std::uint32_t>(blocks_.size());
  if (std::uint64_t{fresh} * block_slots < usable_) {
    blocks_.emplace_back();
    return take_in(fresh);
  }
  for (auto block : partial_)
    if (auto slot = take_in(block))
      return slot;
  return std::nullopt;
}

std::optional<Slot> SlotPool::take_in(std::uint32_t number) {
  Block& block = blocks_[number];
  auto first = number * block_slots;
  auto end = first < usable_ ? std::min(block_slots, usable_ - first) : 0;
  auto found = std::find(block.references.begin(), block.references.begin() + end, 0U);
  if (found == block.references.begin() + end)
    return std::nullopt;
  *found = 1;
  ++block.used;
  ++used_;
  file(number);
  return first + static_cast<Slot>(found - block.references.begin());
}

void SlotPool::share(Slot slot) {
  assert(references(slot) > 0);
  ++blocks_[slot / block_slots].references[slot % block_slots];
}

void SlotPool::release(Slot slot) {
  assert(references(slot) > 0);
  Block& block = blocks_[slot / block_slots];
  if (--block.references[slot % block_slots] > 0)
    return;
  --block.used;
  --used_;
  file(slot / block_slots);
}

std::uint32_t SlotPool::references(Slot slot) const {
  auto block = slot / block_slots;
  return block < blocks_.size() ? blocks_[block].references[slot % block_slots] : 0;
}

void SlotPool::file(std::uint32_t number) {
  auto used = blocks_[number].used;
  if (used == 0)
    empty_.insert(number);
  else
    empty_.erase(number);
  if (used > 0 && used < block_slots)
    partial_.insert(number);
  else
    partial_.erase(number);
}

}  // namespace flowspec
