#include "models/kv/host_kv_cache.hpp"

#include <algorithm>
#include <new>

#include "models/kernels/half.hpp"
#include "models/kernels/kernels.hpp"

namespace flowspec {
namespace {

std::size_t element_size(KvType type) {
  return type == KvType::f16 ? sizeof(Half) : sizeof(float);
}

void convert(const float* from, std::size_t count, float* to) {
  std::copy_n(from, count, to);
}

void convert(const float* from, std::size_t count, Half* to) {
  kernels::to_half(from, count, to);
}

}  // namespace

HostKvCache::HostKvCache(std::uint32_t layers, std::uint32_t kv_heads, std::uint32_t head_dim,
                         std::uint32_t slots, KvType type)
    : layers_(layers),
      kv_heads_(kv_heads),
      stride_(head_stride(head_dim)),
      slots_(slots),
      type_(type),
      // The division is exact: a stride is a whole number of vectors.
      data_(allocate_floats(bytes_for(layers, kv_heads, head_dim, slots, type) / sizeof(float))) {}

std::size_t HostKvCache::bytes_for(std::uint32_t layers, std::uint32_t kv_heads,
                                   std::uint32_t head_dim, std::uint32_t slots, KvType type) {
  std::size_t bytes = 2 * element_size(type);
  for (const std::size_t factor : {layers, kv_heads, head_stride(head_dim), slots})
    if (__builtin_mul_overflow(bytes, factor, &bytes))
      throw std::bad_alloc();
  return bytes;
}

std::size_t HostKvCache::bytes() const {
  return 2 * element_size(type_) * layers_ * kv_heads_ * head_size();
}

void HostKvCache::take_memory_as_written() {
  refuse_huge_pages(data_.get(), bytes() / sizeof(float));
}

void HostKvCache::forget() {
  give_back(data_.get(), bytes() / sizeof(float));
}

void HostKvCache::write_keys(std::uint32_t layer, Slot slot, std::span<const float> heads) {
  type_ == KvType::f16 ? write<Half>(layer, 0, slot, heads) : write<float>(layer, 0, slot, heads);
}

void HostKvCache::write_values(std::uint32_t layer, Slot slot, std::span<const float> heads) {
  type_ == KvType::f16 ? write<Half>(layer, 1, slot, heads) : write<float>(layer, 1, slot, heads);
}

template <class T>
void HostKvCache::write(std::uint32_t layer, std::size_t kind, Slot slot,
                        std::span<const float> heads) {
  const std::size_t width = heads.size() / kv_heads_;
  assert(layer < layers_ && slot < slots_);
  assert(width * kv_heads_ == heads.size() && width <= stride_);
  for (std::size_t head = 0; head < kv_heads_; ++head) {
    T* to = rows<T>(layer, kind, head) + std::size_t{slot} * stride_;
    convert(heads.data() + head * width, width, to);
    std::fill(to + width, to + stride_, T{});
  }
}

}  // namespace flowspec
