#include "actors/cluster/memory_ledger.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "actors/cluster/machine.hpp"
#include "models/base/error.hpp"

namespace flowspec {

MemoryLedger::MemoryLedger(FreeMemory free_memory) : free_memory_(std::move(free_memory)) {}

std::shared_ptr<MemoryLedger::Claim> MemoryLedger::claim(std::uint64_t bytes) const {
  auto free = free_memory_();
  std::lock_guard lock(book_->mutex);
  auto left = free - std::min(free, book_->promised);
  if (free != 0 && bytes > left) {
    constexpr std::uint64_t mib = 1U << 20U;
    auto others = book_->promised == 0 ? std::string()
                                       : fmt::format(" beside {} MiB for what is being loaded",
                                                     book_->promised / mib);
    throw ModelError(fmt::format("they need {} MiB of memory, {} MiB are free{}",
                                 bytes / mib + (bytes % mib != 0 ? 1 : 0), left / mib, others));
  }
  book_->promised += bytes;
  return std::make_shared<Claim>(book_, bytes);
}

std::uint64_t MemoryLedger::promised() const {
  std::lock_guard lock(book_->mutex);
  return book_->promised;
}

void MemoryLedger::Claim::take(std::uint64_t bytes) {
  std::lock_guard lock(book_->mutex);
  auto taken = std::min(bytes, rest_);
  rest_ -= taken;
  book_->promised -= taken;
}

std::uint64_t MemoryLedger::machine_free() {
  return machine_memory().free;
}

}  // namespace flowspec
