#include "models/formats/tensor_info.hpp"

#include <cassert>
#include <cstdint>

#include <sys/mman.h>
#include <unistd.h>

namespace flowspec {

std::uint64_t TensorInfo::elements() const {
  std::uint64_t product = 1;
  for (const std::uint64_t size : shape)
    product *= size;
  return product;
}

std::span<const std::byte> TensorInfo::row(std::uint64_t index) const {
  const std::size_t row_bytes = data.size() / (elements() / (shape.empty() ? 1 : shape[0]));
  return data.subspan(index * row_bytes, row_bytes);
}

std::vector<float> TensorInfo::floats() const {
  std::vector<float> values(elements());
  to_float(type, data, values);
  return values;
}

void TensorInfo::drop_pages(std::size_t first, std::size_t count) const {
  assert(first + count <= data.size());
  if (!is_mapped)
    return;
  // Pages at the ends may also hold other tensors' bytes; these are read again too.
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(data.data() + first) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(data.data() + first + count);
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // a hint
}

}  // namespace flowspec
