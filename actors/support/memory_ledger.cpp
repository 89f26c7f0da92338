#include "actors/support/memory_ledger.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "actors/support/machine.hpp"
#include "models/base/error.hpp"

namespace flowspec {

struct MemoryLedger::Book {
  explicit Book(Machine view) : machine(std::move(view)) {}

  const Machine machine;
  std::mutex mutex;
  std::uint64_t promised = 0;
  /// What the process had when nothing was promised: no claim accounts for it.
  std::uint64_t own_at_rest = 0;
  std::function<bool()> give_back;

  struct Look {
    std::uint64_t free;
    /// Promised and not taken yet.
    std::uint64_t awaited;
  };
  Look look() {
    // In this order: memory that is taken in between counts as no longer free and as still promised.
    auto own = machine.own();
    auto free = machine.free();
    if (promised == 0)
      own_at_rest = own;
    auto taken = own - std::min(own, own_at_rest);
    return {free, promised - std::min(promised, taken)};
  }
};

MemoryLedger::MemoryLedger()
    : MemoryLedger({[] { return machine_memory().free; }, [] { return own_memory(); }}) {}

MemoryLedger::MemoryLedger(Machine machine) : book_(std::make_shared<Book>(std::move(machine))) {}

std::shared_ptr<MemoryLedger::Claim> MemoryLedger::claim(std::uint64_t bytes) const {
  for (;;) {
    std::shared_ptr<Claim> claim;
    auto refusal = try_claim(bytes, claim);
    if (claim)
      return claim;
    std::function<bool()> give_back;
    {
      std::lock_guard lock(book_->mutex);
      give_back = book_->give_back;
    }
    // Without the lock, since claims end meanwhile.
    if (!give_back || !give_back())
      throw ModelError(refusal);
  }
}

void MemoryLedger::on_need(std::function<bool()> give_back) const {
  std::lock_guard lock(book_->mutex);
  book_->give_back = std::move(give_back);
}

std::string MemoryLedger::try_claim(std::uint64_t bytes, std::shared_ptr<Claim>& claim) const {
  std::lock_guard lock(book_->mutex);
  auto [free, awaited] = book_->look();
  auto left = free - std::min(free, awaited);
  if (free != 0 && bytes > left) {
    constexpr std::uint64_t mib = 1U << 20U;
    auto others = awaited < mib ? std::string()
                                : fmt::format(
                                      " beside {} MiB that others were promised and "
                                      "have not taken yet",
                                      awaited / mib);
    return fmt::format("they need {} MiB of memory, {} MiB are free{}",
                       bytes / mib + (bytes % mib != 0 ? 1 : 0), left / mib, others);
  }
  claim = std::make_shared<Claim>(book_, bytes);
  book_->promised += bytes;
  return {};
}

std::uint64_t MemoryLedger::available() const {
  std::lock_guard lock(book_->mutex);
  auto [free, awaited] = book_->look();
  return free - std::min(free, awaited);
}

std::uint64_t MemoryLedger::promised() const {
  std::lock_guard lock(book_->mutex);
  return book_->promised;
}

MemoryLedger::Claim::Claim(std::shared_ptr<Book> book, std::uint64_t bytes)
    : book_(std::move(book)), bytes_(bytes) {}

MemoryLedger::Claim::~Claim() {
  std::lock_guard lock(book_->mutex);
  book_->promised -= bytes_;
}

}  // namespace flowspec
