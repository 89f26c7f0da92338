#include "models/ops/packed/matrix.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "models/base/aligned_floats.hpp"
#include "models/formats/block_quants.hpp"
#include "models/formats/k_quants.hpp"
#include "models/formats/tensor_info.hpp"

namespace flowspec::packed {
namespace {

constexpr std::size_t cache_line = 64;

// More rows are multiplied in parts that stay in a core's own cache (a second level of 1 or 2 MiB): of
// quantised weights some panels, while the rows change; of floats some rows, which are larger than weights,
// while the panels change.
constexpr std::size_t few_rows = 4;
constexpr std::size_t part_weight_bytes = std::size_t{384} << 10;
constexpr std::size_t part_float_bytes = std::size_t{768} << 10;

/// How one block of one output is distributed over its panel.
struct Format {
  std::size_t values;
  std::size_t stored_bytes;
  // Sizes of a panel's block in the front part and in the body.
  std::size_t front_bytes;
  std::size_t body_bytes;
  void (*spread)(const std::byte* block, std::size_t output, std::byte* front, std::byte* body);
};

void spread_groups(const std::byte* from, std::size_t groups, std::size_t output, std::byte* body) {
  for (std::size_t g = 0; g < groups; ++g)
    std::memcpy(body + (g * panel_outputs + output) * 4, from + 4 * g, 4);
}

/// Q8_0 and Q4_0 have a float16, then the values; every four bytes go to one group.
template <std::size_t groups>
void spread_legacy(const std::byte* block, std::size_t output, std::byte* front, std::byte* body) {
  std::memcpy(front + 2 * output, block, 2);
  spread_groups(block + 2, groups, output, body);
}

void spread_q4_1(const std::byte* block, std::size_t output, std::byte* front, std::byte* body) {
  std::memcpy(front + 2 * output, block, 2);
  std::memcpy(front + 2 * (panel_outputs + output), block + 2, 2);
  spread_groups(block + 4, 4, output, body);
}

/// Five-bit values become bytes.
void spread_q5_0(const std::byte* block, std::size_t output, std::byte* front, std::byte* body) {
  std::memcpy(front + 2 * output, block, 2);
  std::array<std::byte, 32> values{};
  std::ranges::transform(unpack_fives(block + 2), values.begin(), [](std::uint8_t q) {
    return static_cast<std::byte>(static_cast<std::int8_t>(q - 16));
  });
  spread_groups(values.data(), 8, output, body);
}

void spread_q5_1(const std::byte* block, std::size_t output, std::byte* front, std::byte* body) {
  std::memcpy(front + 2 * output, block, 2);
  std::memcpy(front + 2 * (panel_outputs + output), block + 2, 2);
  const std::array<std::uint8_t, 32> values = unpack_fives(block + 4);
  spread_groups(std::as_bytes(std::span(values)).data(), 8, output, body);
}

/// Q4_K and Q5_K: two float16, packed scales, then the groups.
template <bool has_high_bits>
void spread_nibbles(const std::byte* block, std::size_t output, std::byte* front, std::byte* body) {
  std::memcpy(front + 2 * output, block, 2);
  std::memcpy(front + 2 * (panel_outputs + output), block + 2, 2);
  const SubScales sub = unpack_scales(block + 4);
  for (std::size_t s = 0; s < 8; ++s) {
    front[64 + panel_outputs * s + output] = std::byte{sub.scales[s]};
    front[64 + panel_outputs * (8 + s) + output] = std::byte{sub.mins[s]};
  }
  spread_groups(block + (has_high_bits ? 48 : 16), 32, output, body);
  if (has_high_bits)
    spread_groups(block + 16, 8, output, body + 2048);
}

void spread_q6_k(const std::byte* block, std::size_t output, std::byte* front, std::byte* body) {
  std::memcpy(front + 2 * output, block + 208, 2);
  for (std::size_t s = 0; s < 16; ++s)
    front[32 + panel_outputs * s + output] = block[192 + s];
  spread_groups(block, 48, output, body);
}

template <std::size_t bytes>
void spread_float(const std::byte* weight, std::size_t output, std::byte* /*front*/,
                  std::byte* body) {
  std::memcpy(body + bytes * output, weight, bytes);
}

const Format* find_format(TensorType type) {
  static constexpr Format f32{1, 4, 0, 64, spread_float<4>};
  static constexpr Format f16{1, 2, 0, 32, spread_float<2>};
  static constexpr Format q8_0{32, 34, 32, 512, spread_legacy<8>};
  static constexpr Format q4_0{32, 18, 32, 256, spread_legacy<4>};
  static constexpr Format q4_1{32, 20, 64, 256, spread_q4_1};
  static constexpr Format q5_0{32, 22, 32, 512, spread_q5_0};
  static constexpr Format q5_1{32, 24, 64, 512, spread_q5_1};
  static constexpr Format q4_k{256, 144, 320, 2048, spread_nibbles<false>};
  static constexpr Format q5_k{256, 176, 320, 2560, spread_nibbles<true>};
  static constexpr Format q6_k{256, 210, 288, 3072, spread_q6_k};
  switch (type) {
    case TensorType::q4_k:
      return &q4_k;
    case TensorType::q5_k:
      return &q5_k;
    case TensorType::q6_k:
      return &q6_k;
    case TensorType::q8_0:
      return &q8_0;
    case TensorType::q4_0:
      return &q4_0;
    case TensorType::q4_1:
      return &q4_1;
    case TensorType::q5_0:
      return &q5_0;
    case TensorType::q5_1:
      return &q5_1;
    case TensorType::f32:
      return &f32;
    case TensorType::f16:
    case TensorType::bf16:
      return &f16;
  }
  return nullptr;
}

/// The rows of a tensor in blocks of the type that it gets.
class BlockRows {
 public:
  BlockRows(const TensorInfo& tensor, TensorType type)
      : tensor_(tensor), type_(type), stored_bytes_(tensor.row(0).size()) {
    if (type == tensor.type)
      return;
    const BlockLayout layout = *block_layout(type);
    floats_.resize(tensor.shape.front());
    blocks_.resize(floats_.size() / layout.values * layout.bytes);
  }

  /// In the file.
  std::size_t stored_bytes() const { return stored_bytes_; }

  /// Valid until the next call.
  const std::byte* row(std::size_t index) {
    const auto stored = tensor_.data.subspan(index * stored_bytes_, stored_bytes_);
    if (blocks_.empty())
      return stored.data();
    to_float(tensor_.type, stored, floats_);
    quantise_row(type_, floats_, blocks_);
    return blocks_.data();
  }

 private:
  const TensorInfo& tensor_;
  TensorType type_;
  std::size_t stored_bytes_;
  // Empty if the tensor keeps its type.
  std::vector<float> floats_;
  std::vector<std::byte> blocks_;
};

/// Calls tile(row, count) for parts of nearly equal size, of at most `most` rows.
template <class Tile>
void each_tile(std::size_t most, std::size_t rows, const Tile& tile) {
  const std::size_t parts = (rows + most - 1) / most;
  for (std::size_t part = 0, row = 0; part < parts; ++part) {
    const std::size_t count = (rows - row) / (parts - part);
    tile(row, count);
    row += count;
  }
}

std::size_t front_size(const Format& format, std::size_t blocks) {
  return (blocks * format.front_bytes + cache_line - 1) / cache_line * cache_line;
}

}  // namespace

bool Matrix::takes(TensorType type) {
  return find_format(type) != nullptr;
}

std::uint64_t Matrix::bytes_for(const TensorInfo& tensor, LoadType type) {
  const Format& format = *find_format(loaded_type(tensor, type));
  const std::size_t inputs = tensor.shape.front();
  const std::size_t panels = (tensor.elements() / inputs + panel_outputs - 1) / panel_outputs;
  const std::size_t blocks = inputs / format.values;
  return std::uint64_t{panels} * (front_size(format, blocks) + blocks * format.body_bytes);
}

std::size_t Matrix::block() const {
  return find_format(type_)->values;
}

Matrix::Matrix(const TensorInfo& tensor, LoadType type)
    : type_(loaded_type(tensor, type)),
      inputs_(tensor.shape.front()),
      outputs_(tensor.elements() / tensor.shape.front()) {
  const Format& format = *find_format(type_);
  assert(inputs_ % format.values == 0);
  const std::size_t blocks = inputs_ / format.values;
  const std::size_t front = front_size(format, blocks);
  panel_bytes_ = front + blocks * format.body_bytes;
  assert(panels() * panel_bytes_ == bytes_for(tensor, type));
  const std::shared_ptr<float[]> memory =
      allocate_floats(panels() * panel_bytes_ / sizeof(float), true);
  panels_ = {memory, reinterpret_cast<std::byte*>(memory.get())};
  BlockRows rows(tensor, type_);
  // Packed weights need not be in memory twice.
  constexpr std::size_t dropped_bytes = std::size_t{8} << 20;
  std::size_t dropped = 0;
  for (std::size_t p = 0; p < panels(); ++p) {
    std::byte* panel = panels_.get() + p * panel_bytes_;
    const std::size_t first = p * panel_outputs;
    const std::size_t count = std::min(panel_outputs, outputs_ - first);
    if (count < panel_outputs)
      std::memset(panel, 0, panel_bytes_);
    for (std::size_t o = 0; o < count; ++o) {
      const std::byte* block = rows.row(first + o);
      for (std::size_t b = 0; b < blocks; ++b, block += format.stored_bytes) {
        format.spread(block, o, panel + b * format.front_bytes,
                      panel + front + b * format.body_bytes);
      }
    }
    const std::size_t done = (first + count) * rows.stored_bytes();
    if (done - dropped >= dropped_bytes || p + 1 == panels()) {
      tensor.drop_pages(dropped, done - dropped);
      dropped = done;
    }
  }
}

void Matrix::multiply(const KernelSet& kernels, const Rows& rows, std::size_t first,
                      std::size_t end, float* out, std::size_t stride) const {
  const TypeTiles all = kernels.find(type_);
  const std::size_t full = std::min(end, outputs_ / panel_outputs);
  if (first < full && rows.count > few_rows) {
    multiply_parts(all, rows, first, full, out, stride);
    first = full;
  }
  if (rows.count <= all.wide.size()) {
    const WideTile& wide = all.wide[rows.count - 1];
    for (; first + wide.panels <= full; first += wide.panels)
      wide.tile(panel(first), rows, 0, out + first * panel_outputs, stride);
  }
  for (; first < full; ++first)
    multiply_panel(all.tiles, panel(first), rows, out + first * panel_outputs, stride);
  if (first < end)
    multiply_last(all.tiles, rows, out + first * panel_outputs, stride);
}

void Matrix::multiply_parts(const TypeTiles& all, const Rows& rows, std::size_t first,
                            std::size_t end, float* out, std::size_t stride) const {
  // Rows in parts of nearly equal size, and whole steps of 16.
  constexpr std::size_t step = 16;
  const bool has_floats = rows.block == 1;
  const std::size_t most_panels =
      has_floats ? end - first : std::max<std::size_t>(part_weight_bytes / panel_bytes_, 1);
  const std::size_t most_steps =
      has_floats ? std::max<std::size_t>(part_float_bytes / (step * inputs_ * sizeof(float)), 1)
                 : most_rows_of_many / step;
  const std::size_t steps = (rows.count + step - 1) / step;
  const std::size_t parts = (steps + most_steps - 1) / most_steps;
  const std::size_t most_rows = (steps + parts - 1) / parts * step;
  for (; first < end; first += most_panels) {
    const Panels panels{panel(first), std::min(most_panels, end - first), panel_bytes_};
    for (std::size_t row = 0; row < rows.count; row += most_rows) {
      const Rows part = rows.part(row, std::min(most_rows, rows.count - row));
      float* to = out + row * stride + first * panel_outputs;
      if (all.many.takes(part.count))
        all.many.multiply(panels, part, to, stride);
      else if (all.wide.size() == all.tiles.size())
        multiply_wide(all, panels, part, to, stride);
      else
        for (std::size_t p = 0; p < panels.count; ++p)
          multiply_panel(all.tiles, panels.at(p), part, to + p * panel_outputs, stride);
    }
  }
}

void Matrix::multiply_wide(const TypeTiles& all, const Panels& panels, const Rows& rows, float* out,
                           std::size_t stride) {
  const std::size_t tiles = (rows.count + all.tiles.size() - 1) / all.tiles.size();
  const std::size_t step = all.wide[(rows.count + tiles - 1) / tiles - 1].panels;
  const std::size_t group =
      std::max<std::size_t>(part_weight_bytes / panels.bytes / step, 1) * step;
  for (std::size_t first = 0; first < panels.count; first += group) {
    const std::size_t end = std::min(first + group, panels.count);
    each_tile(all.tiles.size(), rows.count, [&](std::size_t row, std::size_t count) {
      float* to = out + row * stride;
      const WideTile& wide = all.wide[count - 1];
      std::size_t p = first;
      for (; p + wide.panels <= end; p += wide.panels)
        wide.tile(panels.at(p), rows, row, to + p * panel_outputs, stride);
      for (; p < end; ++p)
        all.tiles[count - 1](panels.at(p), rows, row, to + p * panel_outputs, stride);
    });
  }
}

void Matrix::multiply_panel(Tiles tiles, const std::byte* panel, const Rows& rows, float* out,
                            std::size_t stride) {
  // A panel is read from memory for the first tile and from the CPU's cache for the others.
  each_tile(tiles.size(), rows.count, [&](std::size_t row, std::size_t count) {
    tiles[count - 1](panel, rows, row, out + row * stride, stride);
  });
}

void Matrix::multiply_last(Tiles tiles, const Rows& rows, float* out, std::size_t stride) const {
  const std::size_t columns = outputs_ % panel_outputs;
  std::array<float, panel_outputs> whole;
  for (std::size_t row = 0; row < rows.count; ++row) {
    tiles[0](panel(panels() - 1), rows, row, whole.data(), panel_outputs);
    std::copy_n(whole.data(), columns, out + row * stride);
  }
}

}  // namespace flowspec::packed
