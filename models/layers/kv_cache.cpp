#include "models/layers/kv_cache.hpp"

#include <cassert>
#include <new>

namespace flowspec {

KvCache::KvCache(std::uint32_t layers, std::uint32_t kv_heads, std::uint32_t head_dim,
                 std::uint32_t slots)
    : layers_(layers),
      kv_heads_(kv_heads),
      stride_(head_stride(head_dim)),
      slots_(slots),
      data_(allocate_floats(bytes_for(layers, kv_heads, head_dim, slots) / sizeof(float))) {}

std::size_t KvCache::bytes_for(std::uint32_t layers, std::uint32_t kv_heads, std::uint32_t head_dim,
                               std::uint32_t slots) {
  std::size_t bytes = 2 * sizeof(float);
  for (const std::size_t factor : {layers, kv_heads, head_stride(head_dim), slots}) {
    if (__builtin_mul_overflow(bytes, factor, &bytes)) {
      throw std::bad_alloc();
    }
  }
  return bytes;
}

std::size_t KvCache::bytes() const {
  return 2 * sizeof(float) * layers_ * kv_heads_ * head_size();
}

float* KvCache::key(std::uint32_t layer, Slot slot) {
  assert(layer < layers_ && slot < slots_);
  return plane(layer, 0) + std::size_t{slot} * stride_;
}

float* KvCache::value(std::uint32_t layer, Slot slot) {
  assert(layer < layers_ && slot < slots_);
  return plane(layer, 1) + std::size_t{slot} * stride_;
}

}  // namespace flowspec
