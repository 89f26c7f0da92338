#include "actors/support/kv_pool.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "messages/limits.hpp"
#include "models/base/error.hpp"

namespace flowspec {

namespace {

/// Memory is claimed for so many slots at once, at least: a claim asks the system what is free.
constexpr std::uint32_t step = 256;

std::uint32_t capacity_of(const KvBudget& budget, std::size_t slot_bytes) {
  std::uint64_t most = budget.slots != 0 ? budget.slots : limits::slots;
  if (slot_bytes == 0)
    return static_cast<std::uint32_t>(most);
  most = std::min(most, budget.bytes / slot_bytes);
  auto free = budget.memory ? budget.memory->available() : 0;
  if (free != 0)
    most = std::min(most, free / budget.pools / slot_bytes);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(most, limits::slots));
}

/// Nothing of it is used yet; but a system may count address space as memory, and have less of it.
std::unique_ptr<KvCache> made(const KvPool::MakeCache& make, std::uint32_t& capacity) {
  for (;; capacity /= 2) {
    try {
      return make(capacity);
    } catch (const std::bad_alloc&) {
      if (capacity < 2 * step)
        throw;
    }
  }
}

/// Rounded up: "1 MiB is needed, 0 of 1 are taken" would be no reason to refuse anything.
std::uint64_t mebibytes(std::uint64_t bytes) {
  return (bytes + (1U << 20U) - 1) >> 20U;
}

}  // namespace

KvPool::KvPool(KvBudget budget, std::size_t slot_bytes, const MakeCache& make)
    : budget_(std::move(budget)), slot_bytes_(slot_bytes) {
  auto capacity = capacity_of(budget_, slot_bytes);
  if (slot_bytes > 0) {
    cache_ = made(make, capacity);
    cache_->take_memory_as_written();
  }
  slots_ = std::make_shared<SlotPool>(capacity, slot_bytes == 0 ? capacity : 0);
}

void KvPool::reserve(std::uint32_t more, std::uint64_t promised) {
  auto taken = slots_->used() + promised;
  auto wanted = taken + more;
  if (wanted > slots_->capacity())
    throw ModelError(fmt::format(
        "{} MiB of KV are needed for {} positions; {} of {} MiB are taken, and {} of {} slots",
        mebibytes(std::uint64_t{more} * slot_bytes_), more, mebibytes(taken * slot_bytes_),
        std::uint64_t{slots_->capacity()} * slot_bytes_ >> 20U, taken, slots_->capacity()));
  if (wanted <= slots_->usable())
    return;
  auto usable = std::max<std::uint64_t>(wanted, std::uint64_t{slots_->usable()} + step);
  usable = std::min<std::uint64_t>(usable, slots_->capacity());
  try {
    if (budget_.memory)
      claims_.push_back(budget_.memory->claim((usable - slots_->usable()) * slot_bytes_));
  } catch (const ModelError& e) {
    throw ModelError(fmt::format("no memory for the KV of {} positions: {}", more, e.what()));
  }
  slots_->allow(static_cast<std::uint32_t>(usable));
}

void KvPool::released() {
  if (slots_->used() > 0 || claims_.empty())
    return;
  cache_->forget();
  claims_.clear();
  slots_->allow(0);
}

}  // namespace flowspec
