#include "tests/support/gguf_writer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <fstream>
#include <set>
#include <stdexcept>
#include <utility>

namespace flowspec::test {
namespace {

std::string counted(const std::string& text) {
  return bytes_of<std::uint64_t>(text.size()) + text;
}

std::string convert_q8_0(std::span<const float> block) {
  float largest = 0;
  for (const float value : block) {
    largest = std::max(largest, std::abs(value));
  }
  const float scale = largest / 127;
  std::string bytes = bytes_of(float_to_f16(scale));
  for (const float value : block) {
    const float q = scale == 0 ? 0 : std::round(value / scale);
    bytes += static_cast<char>(static_cast<std::int8_t>(std::clamp(q, -127.0F, 127.0F)));
  }
  return bytes;
}

std::string convert_q4_0(std::span<const float> block) {
  float extreme = 0;
  for (const float value : block) {
    extreme = std::abs(value) > std::abs(extreme) ? value : extreme;
  }
  const float scale = extreme / -8;
  const auto quantise = [scale](float value) {
    const float q = scale == 0 ? 8 : std::round(value / scale) + 8;
    return static_cast<std::uint8_t>(std::clamp(q, 0.0F, 15.0F));
  };
  std::string bytes = bytes_of(float_to_f16(scale));
  for (std::size_t i = 0; i < 16; ++i) {
    bytes += static_cast<char>(quantise(block[i]) | quantise(block[i + 16]) << 4);
  }
  return bytes;
}

std::string pack_fours(std::span<const std::uint8_t> q) {
  std::string bytes;
  for (std::size_t i = 0; i < 16; ++i) {
    bytes += static_cast<char>((q[i] & 15) | (q[i + 16] & 15) << 4);
  }
  return bytes;
}

std::string pack_fives(std::span<const std::uint8_t> q) {
  std::uint32_t fifths = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    fifths |= std::uint32_t{q[i]} >> 4 << i;
  }
  return bytes_of(fifths) + pack_fours(q);
}

/// Integers from 0 to `most` for (value - least) / scale.
std::uint8_t step_of(float value, float least, float scale, int most) {
  const float q = scale == 0 ? 0 : std::round((value - least) / scale);
  return static_cast<std::uint8_t>(std::clamp(q, 0.0F, static_cast<float>(most)));
}

float scale_read_back(float scale) {
  return f16_to_float(float_to_f16(scale));
}

std::string convert_q5_0(std::span<const float> block) {
  float extreme = 0;
  for (const float value : block) {
    extreme = std::abs(value) > std::abs(extreme) ? value : extreme;
  }
  const float scale = extreme / -16;
  std::array<std::uint8_t, 32> q{};
  for (std::size_t i = 0; i < q.size(); ++i) {
    q[i] = scale == 0 ? 16 : step_of(block[i], -16 * scale, scale, 31);
  }
  return bytes_of(float_to_f16(scale)) + pack_fives(q);
}

/// Q4_1, or Q5_1 with `most` 31: from the smallest to the largest value.
std::string convert_with_minimum(std::span<const float> block, int most) {
  const float least = scale_read_back(std::ranges::min(block));
  const float scale = scale_read_back((std::ranges::max(block) - least) / static_cast<float>(most));
  std::array<std::uint8_t, 32> q{};
  for (std::size_t i = 0; i < q.size(); ++i) {
    q[i] = step_of(block[i], least, scale, most);
  }
  return bytes_of(float_to_f16(scale)) + bytes_of(float_to_f16(least)) +
         (most == 31 ? pack_fives(q) : pack_fours(q));
}

std::string convert_block_of_32(TensorType type, std::span<const float> block) {
  switch (type) {
    case TensorType::q4_0:
      return convert_q4_0(block);
    case TensorType::q4_1:
      return convert_with_minimum(block, 15);
    case TensorType::q5_0:
      return convert_q5_0(block);
    case TensorType::q5_1:
      return convert_with_minimum(block, 31);
    default:
      return convert_q8_0(block);
  }
}

/// Q4_K, or Q5_K with `most` 31: sub-blocks of 32 between their smallest (or 0) and largest value.
std::string convert_nibbles(std::span<const float> block, int most) {
  std::array<float, 8> scales{};
  std::array<float, 8> mins{};
  for (std::size_t s = 0; s < 8; ++s) {
    const auto sub = block.subspan(32 * s, 32);
    mins[s] = std::max(0.0F, -std::ranges::min(sub));
    scales[s] = std::max(0.0F, std::ranges::max(sub) + mins[s]) / static_cast<float>(most);
  }
  const float d = scale_read_back(std::ranges::max(scales) / 63);
  const float dmin = scale_read_back(std::ranges::max(mins) / 63);
  std::array<unsigned, 12> packed{};
  std::array<std::uint8_t, 256> q{};
  for (std::size_t s = 0; s < 8; ++s) {
    const unsigned scale = step_of(scales[s], 0, d, 63);
    const unsigned least = step_of(mins[s], 0, dmin, 63);
    if (s < 4) {
      packed[s] |= scale;
      packed[s + 4] |= least;
    } else {
      packed[s + 4] |= (scale & 15) | (least & 15) << 4;
      packed[s - 4] |= scale >> 4 << 6;
      packed[s] |= least >> 4 << 6;
    }
    for (std::size_t i = 32 * s; i < 32 * s + 32; ++i) {
      q[i] =
          step_of(block[i], -dmin * static_cast<float>(least), d * static_cast<float>(scale), most);
    }
  }
  std::string bytes = bytes_of(float_to_f16(d)) + bytes_of(float_to_f16(dmin));
  for (const unsigned byte : packed) {
    bytes += static_cast<char>(byte);
  }
  for (std::size_t i = 0; most == 31 && i < 32; ++i) {
    unsigned byte = 0;
    for (std::size_t s = 0; s < 8; ++s) {
      byte |= static_cast<unsigned>(q[32 * s + i] >> 4) << s;
    }
    bytes += static_cast<char>(byte);
  }
  for (std::size_t i = 0; i < 128; ++i) {
    const std::size_t low = i / 32 * 64 + i % 32;
    bytes += static_cast<char>((q[low] & 15) | (q[low + 32] & 15) << 4);
  }
  return bytes;
}

std::string convert_q6_k(std::span<const float> block) {
  std::array<float, 16> scales{};
  for (std::size_t s = 0; s < 16; ++s) {
    for (const float value : block.subspan(16 * s, 16)) {
      scales[s] = std::max(scales[s], std::abs(value) / 31);
    }
  }
  const float d = scale_read_back(std::ranges::max(scales) / 127);
  std::array<std::uint8_t, 256> q{};
  std::string sub;
  for (std::size_t s = 0; s < 16; ++s) {
    const unsigned steps = step_of(scales[s], 0, d, 127);
    const float scale = d * static_cast<float>(steps);
    sub += static_cast<char>(steps);
    for (std::size_t i = 16 * s; i < 16 * s + 16; ++i) {
      q[i] = scale == 0 ? 32 : step_of(block[i], -32 * scale, scale, 63);
    }
  }
  std::string low(128, 0);
  std::string high(64, 0);
  for (std::size_t i = 0; i < 256; ++i) {
    const std::size_t part = i % 128;
    low[i / 128 * 64 + part % 64] |= static_cast<char>((q[i] & 15) << (part < 64 ? 0 : 4));
    high[i / 128 * 32 + part % 32] |= static_cast<char>(q[i] >> 4 << part / 32 * 2);
  }
  return low + high + sub + bytes_of(float_to_f16(d));
}

/// SplitMix64: small, and the same on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

  /// Uniform with mean 0 and this standard deviation.
  float value(float deviation) {
    const float unit = static_cast<float>(next() >> 40) * 0x1p-24F;
    return (2 * unit - 1) * deviation * std::sqrt(3.0F);
  }

 private:
  std::uint64_t state_;
};

void add_metadata(GgufWriter& writer, const LlamaShape& shape) {
  const std::string prefix = shape.architecture + ".";
  writer.add_string("general.architecture", shape.architecture);
  writer.add_string("general.name", "random " + shape.architecture);
  writer.add_uint(prefix + "context_length", shape.context_length);
  writer.add_uint(prefix + "embedding_length", shape.hidden_size);
  writer.add_uint(prefix + "block_count", shape.layers);
  writer.add_uint(prefix + "feed_forward_length", shape.ffn_size);
  writer.add_uint(prefix + "attention.head_count", shape.heads);
  writer.add_uint(prefix + "attention.head_count_kv", shape.kv_heads);
  if (shape.head_dim != 0) {
    writer.add_uint(prefix + "attention.key_length", shape.head_dim);
    writer.add_uint(prefix + "attention.value_length", shape.head_dim);
  }
  if (shape.rope_dims != 0) {
    writer.add_uint(prefix + "rope.dimension_count", shape.rope_dims);
  }
  if (shape.window != 0) {
    writer.add_uint(prefix + "attention.sliding_window", shape.window);
  }
  writer.add_float(prefix + "rope.freq_base", shape.rope_theta);
  writer.add_float(prefix + "attention.layer_norm_rms_epsilon", shape.rms_eps);
}

}  // namespace

void GgufWriter::add_raw(const std::string& key, std::uint32_t type, const std::string& bytes) {
  metadata_ += counted(key) + bytes_of(type) + bytes;
  ++key_count_;
}

void GgufWriter::add_uint(const std::string& key, std::uint32_t value) {
  add_raw(key, 4, bytes_of(value));
}

void GgufWriter::add_float(const std::string& key, float value) {
  add_raw(key, 6, bytes_of(value));
}

void GgufWriter::add_bool(const std::string& key, bool value) {
  add_raw(key, 7, bytes_of<std::uint8_t>(value ? 1 : 0));
}

void GgufWriter::add_string(const std::string& key, const std::string& value) {
  add_raw(key, 8, counted(value));
}

void GgufWriter::add_strings(const std::string& key, std::span<const std::string> values) {
  std::string bytes = bytes_of<std::uint32_t>(8) + bytes_of<std::uint64_t>(values.size());
  for (const std::string& value : values) {
    bytes += counted(value);
  }
  add_raw(key, 9, bytes);
}

void GgufWriter::add_floats(const std::string& key, std::span<const float> values) {
  std::string bytes = bytes_of<std::uint32_t>(6) + bytes_of<std::uint64_t>(values.size());
  for (const float value : values) {
    bytes += bytes_of(value);
  }
  add_raw(key, 9, bytes);
}

void GgufWriter::add_ints(const std::string& key, std::span<const std::int32_t> values) {
  std::string bytes = bytes_of<std::uint32_t>(5) + bytes_of<std::uint64_t>(values.size());
  for (const std::int32_t value : values) {
    bytes += bytes_of(value);
  }
  add_raw(key, 9, bytes);
}

void GgufWriter::add_tensor(const std::string& name, TensorType type,
                            std::vector<std::uint64_t> shape, std::span<const float> values) {
  add_raw_tensor(name, static_cast<std::uint32_t>(type), std::move(shape), convert(type, values));
}

void GgufWriter::add_raw_tensor(const std::string& name, std::uint32_t type,
                                std::vector<std::uint64_t> shape, std::string bytes) {
  tensors_.push_back({name, type, std::move(shape), std::move(bytes)});
}

std::string GgufWriter::bytes() const {
  const bool says_alignment = alignment_ != 32;
  std::string file = "GGUF" + bytes_of(version_) + bytes_of<std::uint64_t>(tensors_.size()) +
                     bytes_of<std::uint64_t>(key_count_ + (says_alignment ? 1 : 0)) + metadata_;
  if (says_alignment) {
    file += counted("general.alignment") + bytes_of<std::uint32_t>(4) + bytes_of(alignment_);
  }
  const auto pad = [this](std::string& text) {
    while (alignment_ != 0 && text.size() % alignment_ != 0) {
      text += '\0';
    }
  };
  std::string data;
  for (const Tensor& tensor : tensors_) {
    pad(data);
    file += counted(tensor.name) + bytes_of(static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::uint64_t size : tensor.shape) {
      file += bytes_of(size);
    }
    file += bytes_of(tensor.type) + bytes_of<std::uint64_t>(data.size());
    data += tensor.bytes;
  }
  pad(file);
  return file + data;
}

void GgufWriter::write(const std::filesystem::path& path) const {
  write_file(path, bytes());
}

GgufWriter GgufWriter::part(std::uint32_t part, std::uint32_t count) const {
  GgufWriter result(version_, alignment_);
  if (part == 0) {
    result.metadata_ = metadata_;
    result.key_count_ = key_count_;
  }
  result.add_raw("split.no", 2, bytes_of(static_cast<std::uint16_t>(part)));
  result.add_raw("split.count", 2, bytes_of(static_cast<std::uint16_t>(count)));
  result.add_raw("split.tensors.count", 5, bytes_of(static_cast<std::int32_t>(tensors_.size())));
  const std::size_t begin = tensors_.size() * part / count;
  const std::size_t end = tensors_.size() * (part + 1) / count;
  result.tensors_.assign(tensors_.begin() + static_cast<std::ptrdiff_t>(begin),
                         tensors_.begin() + static_cast<std::ptrdiff_t>(end));
  return result;
}

void GgufWriter::write_parts(const std::filesystem::path& folder, const std::string& name,
                             std::uint32_t count) const {
  std::filesystem::create_directories(folder);
  for (std::uint32_t i = 0; i < count; ++i) {
    part(i, count).write(folder / part_name(name, i, count));
  }
}

std::string part_name(const std::string& name, std::uint32_t part, std::uint32_t count) {
  const auto padded = [](std::uint32_t number) {
    const std::string text = std::to_string(number);
    return std::string(5 - text.size(), '0') + text;
  };
  return name + "-" + padded(part + 1) + "-of-" + padded(count) + ".gguf";
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  // A new file, not the old one cut short: some file systems write that to disk at once.
  std::filesystem::remove(path);
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  if (!file.flush()) {
    throw std::runtime_error("cannot write " + path.string());
  }
}

std::uint16_t float_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const float magnitude = std::abs(value);
  if (!(magnitude < 65520)) {  // too large, infinite or NaN
    return sign | (std::isnan(value) ? 0x7e00 : 0x7c00);
  }
  // Halves below 2^-14 are multiples of 2^-24, the others of 2^-10 of their power of two.
  const int exponent = std::max(magnitude > 0 ? std::ilogb(magnitude) : -14, -14);
  const auto steps =
      static_cast<std::uint32_t>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  // Adding, not or-ing: rounding up to the next power of two carries into the exponent.
  return sign +
         static_cast<std::uint16_t>((static_cast<std::uint32_t>(exponent + 14) << 10) + steps);
}

std::string convert(TensorType type, std::span<const float> values) {
  std::string bytes;
  switch (type) {
    case TensorType::f32:
      for (const float value : values) {
        bytes += bytes_of(value);
      }
      return bytes;
    case TensorType::f16:
      for (const float value : values) {
        bytes += bytes_of(float_to_f16(value));
      }
      return bytes;
    case TensorType::bf16:
      for (const float value : values) {
        const auto bits = std::bit_cast<std::uint32_t>(value);
        bytes += bytes_of(static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16));
      }
      return bytes;
    case TensorType::q8_0:
    case TensorType::q4_0:
    case TensorType::q4_1:
    case TensorType::q5_0:
    case TensorType::q5_1:
      if (values.size() % 32 != 0) {
        throw std::invalid_argument("quantised rows need a multiple of 32 values");
      }
      for (; !values.empty(); values = values.subspan(32)) {
        bytes += convert_block_of_32(type, values.first(32));
      }
      return bytes;
    case TensorType::q4_k:
    case TensorType::q5_k:
    case TensorType::q6_k:
      if (values.size() % 256 != 0) {
        throw std::invalid_argument("K-quantised rows need a multiple of 256 values");
      }
      for (; !values.empty(); values = values.subspan(256)) {
        const auto block = values.first(256);
        bytes += type == TensorType::q6_k
                     ? convert_q6_k(block)
                     : convert_nibbles(block, type == TensorType::q4_k ? 15 : 31);
      }
      return bytes;
  }
  throw std::invalid_argument("cannot write tensors of " + type_name(type));
}

void add_vocabulary(GgufWriter& writer, std::uint32_t size, std::uint64_t seed,
                    std::uint32_t eos_token) {
  if (size < least_vocab_size) {
    throw std::invalid_argument("the vocabulary is too small");
  }
  constexpr std::int32_t normal = 1, unknown = 2, control = 3, byte = 6;
  std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
  std::vector<std::int32_t> types{unknown, control, control};
  for (int value = 0; value < 256; ++value) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    tokens.push_back(std::string("<0x") + digits[value / 16] + digits[value % 16] + ">");
    types.push_back(byte);
  }
  std::vector<std::string> pieces{"\xe2\x96\x81"};  // "▁", which stands for a space
  for (char c = 'a'; c <= 'z'; ++c) {
    pieces.emplace_back(1, c);
  }
  for (const char c : std::string_view(".,!?'\"")) {
    pieces.emplace_back(1, c);
  }
  const std::size_t wanted = size - tokens.size();
  std::set<std::string> known(pieces.begin(), pieces.end());
  Random random(seed);
  while (pieces.size() < wanted) {
    const std::string& left = pieces[random.next() % pieces.size()];
    const std::string& right = pieces[1 + random.next() % 26];
    if (known.insert(left + right).second) {
      pieces.push_back(left + right);
    }
  }
  std::vector<float> scores(tokens.size(), 0);
  for (std::size_t i = 0; i < wanted; ++i) {
    tokens.push_back(pieces[i]);
    types.push_back(normal);
    scores.push_back(-static_cast<float>(i));
  }
  writer.add_string("tokenizer.ggml.model", "llama");
  writer.add_strings("tokenizer.ggml.tokens", tokens);
  writer.add_floats("tokenizer.ggml.scores", scores);
  writer.add_ints("tokenizer.ggml.token_type", types);
  writer.add_uint("tokenizer.ggml.bos_token_id", 1);
  writer.add_uint("tokenizer.ggml.eos_token_id", eos_token);
  writer.add_uint("tokenizer.ggml.unknown_token_id", 0);
}

GgufWriter make_llama(const LlamaShape& shape, const LlamaTypes& types, std::uint64_t seed) {
  GgufWriter writer;
  add_metadata(writer, shape);
  add_vocabulary(writer, shape.vocab_size, seed, shape.eos_token);
  Random random(seed);
  const auto add_matrix = [&](const std::string& name, TensorType type, std::uint64_t in,
                              std::uint64_t out, float deviation) {
    std::vector<float> values(in * out);
    std::ranges::generate(values, [&] { return random.value(deviation); });
    writer.add_tensor(name, type, {in, out}, values);
  };
  const auto add_vector = [&](const std::string& name, std::uint64_t size, float mean,
                              float deviation) {
    std::vector<float> values(size);
    std::ranges::generate(values, [&] { return mean + random.value(deviation); });
    writer.add_tensor(name, TensorType::f32, {size}, values);
  };
  const auto add_norm = [&](const std::string& name) {
    add_vector(name, shape.hidden_size, 1, 0.2F);
  };
  const std::uint64_t hidden = shape.hidden_size;
  const std::uint64_t head_dim = shape.head_dim != 0 ? shape.head_dim : hidden / shape.heads;
  // 1/sqrt(inputs) keeps the size of what goes through; more in q and k makes attention choosy.
  const auto keep = [](std::uint64_t inputs) { return 1 / std::sqrt(static_cast<float>(inputs)); };
  add_matrix("token_embd.weight", types.embedding, hidden, shape.vocab_size, 1);
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    const TensorType type = types.matrices;
    add_norm(block + "attn_norm.weight");
    add_matrix(block + "attn_q.weight", type, hidden, shape.heads * head_dim, 1.5F * keep(hidden));
    add_matrix(block + "attn_k.weight", type, hidden, shape.kv_heads * head_dim,
               1.5F * keep(hidden));
    add_matrix(block + "attn_v.weight", type, hidden, shape.kv_heads * head_dim, keep(hidden));
    if (shape.qkv_bias.value_or(shape.architecture == "qwen2")) {
      add_vector(block + "attn_q.bias", shape.heads * head_dim, 0, 0.5F);
      add_vector(block + "attn_k.bias", shape.kv_heads * head_dim, 0, 0.5F);
      add_vector(block + "attn_v.bias", shape.kv_heads * head_dim, 0, 0.5F);
    }
    if (shape.architecture == "qwen3") {
      add_vector(block + "attn_q_norm.weight", head_dim, 1, 0.3F);
      add_vector(block + "attn_k_norm.weight", head_dim, 1, 0.3F);
    }
    add_matrix(block + "attn_output.weight", type, shape.heads * head_dim, hidden,
               keep(shape.heads * head_dim));
    if (shape.output_bias) {
      add_vector(block + "attn_output.bias", hidden, 0, 0.5F);
    }
    add_norm(block + "ffn_norm.weight");
    add_matrix(block + "ffn_gate.weight", type, hidden, shape.ffn_size, keep(hidden));
    add_matrix(block + "ffn_up.weight", type, hidden, shape.ffn_size, keep(hidden));
    add_matrix(block + "ffn_down.weight", type, shape.ffn_size, hidden, keep(shape.ffn_size));
    if (shape.ffn_bias) {
      add_vector(block + "ffn_gate.bias", shape.ffn_size, 0, 0.5F);
      add_vector(block + "ffn_up.bias", shape.ffn_size, 0, 0.5F);
      add_vector(block + "ffn_down.bias", hidden, 0, 0.5F);
    }
  }
  add_norm("output_norm.weight");
  if (!shape.tied) {
    add_matrix("output.weight", types.output, hidden, shape.vocab_size, 3 * keep(hidden));
  }
  return writer;
}

void write_llama_gguf(const std::filesystem::path& path, const LlamaShape& shape,
                      const LlamaTypes& types, std::uint64_t seed) {
  make_llama(shape, types, seed).write(path);
}

}  // namespace flowspec::test
