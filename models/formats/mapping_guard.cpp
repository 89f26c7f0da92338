#include "models/formats/mapping_guard.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include <sys/mman.h>
#include <unistd.h>

namespace flowspec {

/// An entry of a list that only ever grows, so that a signal handler can walk it whatever other
/// threads do. A guard takes a free entry or adds one.
struct MappingGuard::Entry {
  std::atomic<bool> is_taken = true;
  std::atomic<bool> is_broken = false;
  /// Odd while the range is being changed. A read of the range counts only if the version is even
  /// and stays the same.
  std::atomic<unsigned> version = 0;
  std::atomic<std::uintptr_t> begin = 0;
  std::atomic<std::uintptr_t> end = 0;
  Entry* next = nullptr;

  void set_range(std::uintptr_t new_begin, std::uintptr_t new_end) {
    ++version;
    begin = new_begin;
    end = new_end;
    ++version;
  }

  /// The end of the range if it contains the address; else 0.
  std::uintptr_t end_around(std::uintptr_t address) const {
    const unsigned before = version;
    const std::uintptr_t first = begin;
    const std::uintptr_t last = end;
    const bool is_whole = before % 2 == 0 && version == before;
    return is_whole && first <= address && address < last ? last : 0;
  }

  static std::atomic<Entry*> head;
  static std::uintptr_t page_bytes;
  static struct sigaction otherwise;

  static Entry* take();
  static bool replace_rest(std::uintptr_t address);
  static void on_bus_error(int signal, siginfo_t* info, void* context);
};

std::atomic<MappingGuard::Entry*> MappingGuard::Entry::head = nullptr;
std::uintptr_t MappingGuard::Entry::page_bytes = 0;
struct sigaction MappingGuard::Entry::otherwise = {};

MappingGuard::Entry* MappingGuard::Entry::take() {
  for (Entry* entry = head; entry != nullptr; entry = entry->next)
    if (!entry->is_taken.exchange(true))
      return entry;
  auto* const entry = new Entry;  // never deleted: the handler may be looking at it
  entry->next = head;
  while (!head.compare_exchange_weak(entry->next, entry)) {
  }
  return entry;
}

/// Replaces the guarded bytes from this page on by zeros. Calls only functions that a signal
/// handler may call.
bool MappingGuard::Entry::replace_rest(std::uintptr_t address) {
  for (Entry* entry = head; entry != nullptr; entry = entry->next) {
    const std::uintptr_t end = entry->end_around(address);
    if (end == 0)
      continue;
    const std::uintptr_t page = address / page_bytes * page_bytes;
    entry->is_broken = true;
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    return ::mmap(reinterpret_cast<void*>(page), end - page, PROT_READ,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
  }
  return false;
}

void MappingGuard::Entry::on_bus_error(int signal, siginfo_t* info, void* /*context*/) {
  const int error = errno;
  const bool was_sent = info->si_code <= 0;  // with kill or raise
  if (was_sent || !replace_rest(reinterpret_cast<std::uintptr_t>(info->si_addr))) {
    // The access is repeated when this returns.
    ::sigaction(signal, &otherwise, nullptr);
    if (was_sent)
      ::raise(signal);
  }
  errno = error;
}

void guard_mapped_files() {
  using Entry = MappingGuard::Entry;
  Entry::page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction action = {};
  action.sa_sigaction = Entry::on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  struct sigaction before = {};
  if (::sigaction(SIGBUS, nullptr, &before) == 0 &&
      ((before.sa_flags & SA_SIGINFO) == 0 || before.sa_sigaction != Entry::on_bus_error)) {
    Entry::otherwise = before;
    ::sigaction(SIGBUS, &action, nullptr);
  }
}

MappingGuard::MappingGuard() : entry_(Entry::take()) {
  entry_->is_broken = false;
}

MappingGuard::~MappingGuard() {
  release();
  entry_->is_taken = false;
}

void MappingGuard::guard(const void* begin, std::size_t size) {
  const auto first = reinterpret_cast<std::uintptr_t>(begin);
  entry_->set_range(first, first + size);
}

void MappingGuard::release() {
  entry_->set_range(0, 0);
}

bool MappingGuard::is_broken() const {
  return entry_->is_broken;
}

}  // namespace flowspec
