#include "models/ops/quant/packed_matrix.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "models/aligned_floats.hpp"
#include "models/formats/gguf.hpp"

namespace flowspec::quant {
namespace {

constexpr std::size_t cache_line = 64;

/// How one block of one output is spread over its panel.
struct Format {
  std::size_t values;
  std::size_t stored_bytes;
  // Of a panel's block, in the front part and behind it.
  std::size_t front_bytes;
  std::size_t body_bytes;
  void (*spread)(const std::byte* block, std::size_t output, std::byte* front, std::byte* body);
};

/// Both types have a float16 and then the values; every four bytes go to their group.
template <std::size_t groups>
void spread_legacy(const std::byte* block, std::size_t output, std::byte* front, std::byte* body) {
  std::memcpy(front + 2 * output, block, 2);
  for (std::size_t g = 0; g < groups; ++g) {
    std::memcpy(body + (g * panel_outputs + output) * 4, block + 2 + 4 * g, 4);
  }
}

const Format* find_format(TensorType type) {
  static constexpr Format q8_0{32, 34, 32, 512, spread_legacy<8>};
  static constexpr Format q4_0{32, 18, 32, 256, spread_legacy<4>};
  switch (type) {
    case TensorType::q8_0:
      return &q8_0;
    case TensorType::q4_0:
      return &q4_0;
    case TensorType::f32:
    case TensorType::f16:
    case TensorType::bf16:
      break;
  }
  return nullptr;
}

std::size_t front_size(const Format& format, std::size_t blocks) {
  return (blocks * format.front_bytes + cache_line - 1) / cache_line * cache_line;
}

}  // namespace

bool PackedMatrix::takes(TensorType type) {
  return find_format(type) != nullptr;
}

std::size_t PackedMatrix::block() const {
  return find_format(type_)->values;
}

PackedMatrix::PackedMatrix(const TensorInfo& tensor)
    : type_(tensor.type),
      inputs_(tensor.shape.front()),
      outputs_(tensor.elements() / tensor.shape.front()) {
  const Format& format = *find_format(type_);
  assert(inputs_ % format.values == 0);
  const std::size_t blocks = inputs_ / format.values;
  const std::size_t front = front_size(format, blocks);
  panel_bytes_ = front + blocks * format.body_bytes;
  const std::shared_ptr<float[]> memory =
      allocate_floats(panels() * panel_bytes_ / sizeof(float), true);
  panels_ = {memory, reinterpret_cast<std::byte*>(memory.get())};
  for (std::size_t p = 0; p < panels(); ++p) {
    std::byte* panel = panels_.get() + p * panel_bytes_;
    const std::size_t first = p * panel_outputs;
    const std::size_t count = std::min(panel_outputs, outputs_ - first);
    if (count < panel_outputs) {
      std::memset(panel, 0, panel_bytes_);
    }
    const std::byte* block = tensor.data.data() + first * blocks * format.stored_bytes;
    for (std::size_t o = 0; o < count; ++o) {
      for (std::size_t b = 0; b < blocks; ++b, block += format.stored_bytes) {
        format.spread(block, o, panel + b * format.front_bytes,
                      panel + front + b * format.body_bytes);
      }
    }
  }
}

void PackedMatrix::multiply(const KernelSet& kernels, const Rows& rows, std::size_t first,
                            std::size_t end, float* out, std::size_t stride) const {
  const Tiles tiles = kernels.find(type_);
  // Parts of nearly equal size. A panel comes from memory for the first and from the cache for the
  // others.
  const std::size_t parts = (rows.count + tiles.size() - 1) / tiles.size();
  for (std::size_t p = first; p < end; ++p) {
    const std::byte* panel = panels_.get() + p * panel_bytes_;
    const std::size_t column = p * panel_outputs;
    const std::size_t columns = std::min(panel_outputs, outputs_ - column);
    for (std::size_t part = 0, row = 0; part < parts; ++part) {
      const std::size_t count = (rows.count - row) / (parts - part);
      float* to = out + row * stride + column;
      if (columns == panel_outputs) {
        tiles[count - 1](panel, rows, row, to, stride);
      } else {
        std::array<float, 16 * panel_outputs> whole;
        assert(count * panel_outputs <= whole.size());
        tiles[count - 1](panel, rows, row, whole.data(), panel_outputs);
        for (std::size_t r = 0; r < count; ++r) {
          std::copy_n(whole.data() + r * panel_outputs, columns, to + r * stride);
        }
      }
      row += count;
    }
  }
}

}  // namespace flowspec::quant
