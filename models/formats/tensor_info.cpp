#include "models/formats/tensor_info.hpp"

#include <cassert>
#include <cstdint>
#include <cstring>

#include <sys/mman.h>
#include <unistd.h>

#include "models/base/error.hpp"

namespace flowspec {
namespace {

template <class T>
std::vector<std::int64_t> read_integers(std::span<const std::byte> data) {
  std::vector<std::int64_t> values(data.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value = 0;
    std::memcpy(&value, data.data() + i * sizeof value, sizeof value);
    values[i] = value;
  }
  return values;
}

}  // namespace

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

std::vector<std::int64_t> TensorInfo::integers() const {
  if (type == type_i64)
    return read_integers<std::int64_t>(data);
  if (type == type_i32)
    return read_integers<std::int32_t>(data);
  throw ModelError("tensor '" + name + "' is not stored as integers, expected I32 or I64");
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
