#include "runtime/engine_bench/random_model.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>

#include <fmt/format.h>

#include "models/base/error.hpp"

namespace flowspec {

namespace {

ModelConfig shape(const char* name, std::uint32_t hidden, std::uint32_t layers, std::uint32_t heads,
                  std::uint32_t kv_heads, std::uint32_t ffn, std::uint32_t vocab) {
  ModelConfig config;
  config.architecture = "llama";
  config.name = name;
  config.hidden_size = hidden;
  config.layers = layers;
  config.heads = heads;
  config.kv_heads = kv_heads;
  config.head_dim = config.rope_dims = hidden / heads;
  config.ffn_size = ffn;
  config.vocab_size = vocab;
  config.context_length = 1 << 20;
  return config;
}

const std::vector<ModelConfig>& shapes() {
  static const std::vector<ModelConfig> all{shape("tinyllama-1.1b", 2048, 22, 32, 4, 5632, 32000),
                                            shape("llama-3.2-1b", 2048, 16, 32, 8, 8192, 128256),
                                            shape("llama-2-7b", 4096, 32, 32, 32, 11008, 32000),
                                            shape("llama-3.1-8b", 4096, 32, 32, 8, 14336, 128256),
                                            shape("llama-2-13b", 5120, 40, 40, 40, 13824, 32000)};
  return all;
}

/// Sets small values where a type has float16 scales, so that no product overflows.
void set_factors(TensorType type, std::span<std::byte> block) {
  const auto set = [&](std::size_t at, std::uint16_t half) {
    std::memcpy(&block[at], &half, sizeof half);
  };
  constexpr std::uint16_t thousandth = 0x1419;  // about 0.001
  constexpr std::uint16_t tiny = 0x0100;        // about 0.000015
  switch (type) {
    case TensorType::q8_0:
    case TensorType::q4_0:
    case TensorType::q5_0:
      return set(0, thousandth);
    case TensorType::q4_1:
    case TensorType::q5_1:
      set(0, thousandth);
      return set(2, thousandth | 0x8000);
    case TensorType::q4_k:
    case TensorType::q5_k:
      set(0, tiny);
      return set(2, tiny);
    case TensorType::q6_k:
      return set(208, tiny);
    // Sign and fraction stay random; the exponent becomes that of 1/64.
    case TensorType::f16:
      block[1] = (block[1] & std::byte{0x83}) | std::byte{0x24};
      return;
    case TensorType::bf16:
      block[1] = (block[1] & std::byte{0x80}) | std::byte{0x3c};
      block[0] &= std::byte{0x7f};
      return;
    case TensorType::f32:
      block[3] = (block[3] & std::byte{0x80}) | std::byte{0x3c};
      block[2] &= std::byte{0x7f};
      return;
  }
}

std::vector<std::byte> random_bytes(TensorType type, std::size_t size) {
  const BlockLayout layout = block_layout(type).value();
  // About a megabyte of random blocks, repeated.
  const std::size_t part = std::min(size, std::size_t{4096} * layout.bytes);
  std::vector<std::byte> bytes(size);
  std::mt19937_64 random(1);
  std::generate_n(bytes.begin(), part, [&] { return static_cast<std::byte>(random() >> 56); });
  for (std::size_t at = 0; at + layout.bytes <= part; at += layout.bytes)
    set_factors(type, std::span(bytes).subspan(at, layout.bytes));
  for (std::size_t at = part; at < size; at += part)
    std::copy_n(bytes.begin(), std::min(part, size - at),
                bytes.begin() + static_cast<std::ptrdiff_t>(at));
  return bytes;
}

std::size_t bytes_of(const TensorInfo& tensor) {
  const BlockLayout layout = block_layout(tensor.type).value();
  return tensor.elements() / layout.values * layout.bytes;
}

}  // namespace

const ModelConfig* find_shape(std::string_view name) {
  auto found = std::ranges::find(shapes(), name, &ModelConfig::name);
  return found == shapes().end() ? nullptr : &*found;
}

std::vector<std::string_view> model_shape_names() {
  std::vector<std::string_view> names;
  for (const ModelConfig& config : shapes())
    names.emplace_back(config.name);
  return names;
}

RandomModel::RandomModel(const ModelConfig& config, TensorType type)
    : path_(fmt::format("{} {} (random weights)", config.name, type_name(type))) {
  const std::uint64_t hidden = config.hidden_size;
  const std::uint64_t kv = std::uint64_t{config.kv_heads} * config.head_dim;
  const std::uint64_t heads = std::uint64_t{config.heads} * config.head_dim;
  const std::uint64_t ffn = config.ffn_size;
  add("token_embd.weight", type, {hidden, config.vocab_size});
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    auto name = [&](const char* part) { return fmt::format("blk.{}.{}.weight", layer, part); };
    add(name("attn_norm"), TensorType::f32, {hidden});
    add(name("attn_q"), type, {hidden, heads});
    add(name("attn_k"), type, {hidden, kv});
    add(name("attn_v"), type, {hidden, kv});
    add(name("attn_output"), type, {heads, hidden});
    add(name("ffn_norm"), TensorType::f32, {hidden});
    add(name("ffn_gate"), type, {hidden, ffn});
    add(name("ffn_up"), type, {hidden, ffn});
    add(name("ffn_down"), type, {ffn, hidden});
  }
  add("output_norm.weight", TensorType::f32, {hidden});
  add("output.weight", type, {hidden, config.vocab_size});

  const std::vector<float> ones(hidden, 1);
  std::vector<std::byte> norms(hidden * sizeof(float));
  std::memcpy(norms.data(), ones.data(), norms.size());
  norms_ = std::make_shared<const std::vector<std::byte>>(std::move(norms));
  std::size_t size = 0;
  for (const TensorInfo& tensor : tensors_)
    size = std::max(size, bytes_of(tensor));
  bytes_ = std::make_shared<const std::vector<std::byte>>(random_bytes(type, size));
  for (TensorInfo& tensor : tensors_)
    tensor.data = std::span(tensor.shape.size() == 1 ? *norms_ : *bytes_).first(bytes_of(tensor));
}

void RandomModel::add(const std::string& name, TensorType type, std::vector<std::uint64_t> shape) {
  const std::uint32_t block = block_layout(type).value().values;
  if (shape.front() % block != 0)
    throw ModelError(
        fmt::format("{}: the rows of {} have {} values, which is no multiple of the {} "
                    "of a block of {}. Choose another type.",
                    path_.string(), name, shape.front(), block, type_name(type)));
  tensors_.push_back({name, type, std::move(shape), 0, {}});
}

std::uint64_t RandomModel::file_size() const {
  std::uint64_t size = 0;
  for (const TensorInfo& tensor : tensors_)
    size += tensor.data.size();
  return size;
}

std::vector<const TensorInfo*> RandomModel::all_tensors() const {
  std::vector<const TensorInfo*> all;
  for (const TensorInfo& tensor : tensors_)
    all.push_back(&tensor);
  return all;
}

const TensorInfo* RandomModel::find(std::string_view name) const {
  auto found = std::ranges::find(tensors_, name, &TensorInfo::name);
  return found == tensors_.end() ? nullptr : &*found;
}

const TensorInfo& RandomModel::require(std::string_view name,
                                       std::span<const std::uint64_t> shape) const {
  const TensorInfo* tensor = find(name);
  if (tensor == nullptr || !std::ranges::equal(tensor->shape, shape))
    throw ModelError(
        fmt::format("{}: there is no tensor '{}' of this shape", path_.string(), name));
  return *tensor;
}

}  // namespace flowspec
