#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <spdlog/spdlog.h>
#include <sys/mman.h>

#include "actors/support/memory_ledger.hpp"
#include "models/base/aligned_floats.hpp"
#include "models/kv/kv_cache.hpp"

namespace flowspec {

/// Gives back memory that was mapped.
struct Unmap {
  std::size_t bytes = 0;
  void operator()(float* memory) const { munmap(memory, bytes); }
};

/// What a stage has sent of all rows, by their KV slots, so that it can be sent again to a new hop. Costs
/// nothing but a slower recovery where there is no memory for it. Empty where it is not kept.
class KeptOutput {
 public:
  KeptOutput() = default;
  /// Memory is taken as slots are used. Address space may be far more than there is memory, so it is not
  /// asked for as memory; where there is none, nothing is kept.
  KeptOutput(std::size_t slots, std::size_t columns) : columns_(columns) {
    auto bytes = slots * columns * sizeof(float);
    auto* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
      return;
    values_ = {static_cast<float*>(memory), Unmap{bytes}};
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
  std::unique_ptr<float[], Unmap> values_;
  std::size_t claimed_ = 0;
  std::vector<std::shared_ptr<MemoryLedger::Claim>> claims_;
};

}  // namespace flowspec
