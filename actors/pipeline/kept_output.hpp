#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <spdlog/spdlog.h>

#include "actors/support/memory_ledger.hpp"
#include "models/base/aligned_floats.hpp"
#include "models/kv/kv_cache.hpp"

namespace flowspec {

/// What a stage has sent of all rows, by their KV slots, so that it can be sent again to a new hop. Costs
/// nothing but a slower recovery where there is no memory for it. Empty where it is not kept.
class KeptOutput {
 public:
  KeptOutput() = default;
  /// Memory is taken as slots are used.
  KeptOutput(std::size_t slots, std::size_t columns)
      : columns_(columns), values_(allocate_floats(slots * columns)) {
    refuse_huge_pages(values_.get(), slots * columns);
  }

  bool empty() const { return values_ == nullptr; }
  std::span<float> row(Slot slot) {
    return {values_.get() + std::size_t{slot} * columns_, columns_};
  }
  /// Claims memory for the slots below `slots`; false, and empty from now on, if there is none.
  bool reserve(std::size_t slots, const std::optional<MemoryLedger>& memory) {
    if (empty() || slots <= claimed_)
      return !empty();
    try {
      if (memory)
        claims_.push_back(memory->claim((slots - claimed_) * columns_ * sizeof(float)));
      claimed_ = slots;
      return true;
    } catch (const std::exception& e) {
      spdlog::info("what is sent is not kept: {}", e.what());
      *this = {};
      return false;
    }
  }

 private:
  std::size_t columns_ = 0;
  AlignedFloats values_;
  std::size_t claimed_ = 0;
  std::vector<std::shared_ptr<MemoryLedger::Claim>> claims_;
};

}  // namespace flowspec
