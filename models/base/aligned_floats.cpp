#include "models/base/aligned_floats.hpp"

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>

#include <sys/mman.h>
#include <unistd.h>

namespace flowspec {
namespace {

constexpr std::size_t cache_line = 64;
constexpr std::size_t huge_page = std::size_t{2} << 20;

/// Of the whole pages in it. Only a hint: failure costs memory, not correctness.
void advise(float* data, std::size_t count, int advice) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const auto before = reinterpret_cast<std::uintptr_t>(data) % page;
  const auto skipped = before == 0 ? 0 : page - before;
  const auto bytes = count * sizeof(float);
  if (bytes >= skipped + page)
    madvise(reinterpret_cast<char*>(data) + skipped, (bytes - skipped) / page * page, advice);
}

}  // namespace

void FreeFloats::operator()(float* data) const {
  std::free(data);
}

AlignedFloats allocate_floats(std::size_t count, bool huge_pages) {
  if (count > std::numeric_limits<std::ptrdiff_t>::max() / sizeof(float) - huge_page)
    throw std::bad_alloc();
  const bool is_huge = huge_pages && count * sizeof(float) >= huge_page;
  const std::size_t alignment = is_huge ? huge_page : cache_line;
  const std::size_t bytes = (count * sizeof(float) + alignment - 1) / alignment * alignment;
  void* data = std::aligned_alloc(alignment, bytes == 0 ? alignment : bytes);
  if (data == nullptr)
    throw std::bad_alloc();
  if (is_huge) {
    // Whole pages only: a huge page for the rest would waste up to 2 MiB per matrix. Only a hint:
    // failure costs speed.
    madvise(data, count * sizeof(float) / huge_page * huge_page, MADV_HUGEPAGE);
  }
  return AlignedFloats(static_cast<float*>(data));
}

void refuse_huge_pages(float* data, std::size_t count) {
  advise(data, count, MADV_NOHUGEPAGE);
}

void give_back(float* data, std::size_t count) {
  advise(data, count, MADV_DONTNEED);
}

}  // namespace flowspec
