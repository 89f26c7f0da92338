#include "tests/support/gguf_writer.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <stdexcept>
#include <utility>

#include "tests/support/quantize.hpp"

namespace flowspec::test {
namespace {

std::string counted(const std::string& text) {
  return bytes_of<std::uint64_t>(text.size()) + text;
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
  if (shape.rope_dims != 0)
    writer.add_uint(prefix + "rope.dimension_count", shape.rope_dims);
  if (shape.window != 0)
    writer.add_uint(prefix + "attention.sliding_window", shape.window);
  writer.add_float(prefix + "rope.freq_base", shape.rope_theta);
  writer.add_float(prefix + "attention.layer_norm_rms_epsilon", shape.rms_eps);
}

/// The tensors of a model, with random weights that depend on the order in which tensors are added.
class LlamaTensors {
 public:
  LlamaTensors(GgufWriter& writer, const LlamaShape& shape, const LlamaTypes& types,
               std::uint64_t seed)
      : writer_(writer),
        shape_(shape),
        types_(types),
        hidden_(shape.hidden_size),
        head_dim_(shape.head_dim != 0 ? shape.head_dim : shape.hidden_size / shape.heads),
        random_(seed) {}

  void add_all() {
    add_matrix("token_embd.weight", types_.embedding, hidden_, shape_.vocab_size, 1);
    for (std::uint32_t layer = 0; layer < shape_.layers; ++layer) {
      const std::string block = "blk." + std::to_string(layer) + ".";
      add_attention(block);
      add_ffn(block);
    }
    add_norm("output_norm.weight");
    if (!shape_.tied)
      add_matrix("output.weight", types_.output, hidden_, shape_.vocab_size, 3 * keep(hidden_));
  }

 private:
  /// 1/sqrt(inputs) keeps activations at the same size; a larger scale for q and k makes attention
  /// selective.
  static float keep(std::uint64_t inputs) { return 1 / std::sqrt(static_cast<float>(inputs)); }

  void add_matrix(const std::string& name, TensorType type, std::uint64_t in, std::uint64_t out,
                  float deviation) {
    std::vector<float> values(in * out);
    std::ranges::generate(values, [&] { return random_.value(deviation); });
    writer_.add_tensor(name, type, {in, out}, values);
  }

  void add_vector(const std::string& name, std::uint64_t size, float mean, float deviation) {
    std::vector<float> values(size);
    std::ranges::generate(values, [&] { return mean + random_.value(deviation); });
    writer_.add_tensor(name, TensorType::f32, {size}, values);
  }

  void add_norm(const std::string& name) { add_vector(name, hidden_, 1, 0.2F); }

  void add_attention(const std::string& block) {
    const TensorType type = types_.matrices;
    const std::uint64_t queries = shape_.heads * head_dim_;
    const std::uint64_t keys = shape_.kv_heads * head_dim_;
    add_norm(block + "attn_norm.weight");
    add_matrix(block + "attn_q.weight", type, hidden_, queries, 1.5F * keep(hidden_));
    add_matrix(block + "attn_k.weight", type, hidden_, keys, 1.5F * keep(hidden_));
    add_matrix(block + "attn_v.weight", type, hidden_, keys, keep(hidden_));
    if (shape_.qkv_bias.value_or(shape_.architecture == "qwen2")) {
      add_vector(block + "attn_q.bias", queries, 0, 0.5F);
      add_vector(block + "attn_k.bias", keys, 0, 0.5F);
      add_vector(block + "attn_v.bias", keys, 0, 0.5F);
    }
    if (shape_.architecture == "qwen3") {
      add_vector(block + "attn_q_norm.weight", head_dim_, 1, 0.3F);
      add_vector(block + "attn_k_norm.weight", head_dim_, 1, 0.3F);
    }
    add_matrix(block + "attn_output.weight", type, queries, hidden_, keep(queries));
    if (shape_.output_bias)
      add_vector(block + "attn_output.bias", hidden_, 0, 0.5F);
  }

  void add_ffn(const std::string& block) {
    const TensorType type = types_.matrices;
    const std::uint64_t inner = shape_.ffn_size;
    add_norm(block + "ffn_norm.weight");
    add_matrix(block + "ffn_gate.weight", type, hidden_, inner, keep(hidden_));
    add_matrix(block + "ffn_up.weight", type, hidden_, inner, keep(hidden_));
    add_matrix(block + "ffn_down.weight", type, inner, hidden_, keep(inner));
    if (shape_.ffn_bias) {
      add_vector(block + "ffn_gate.bias", inner, 0, 0.5F);
      add_vector(block + "ffn_up.bias", inner, 0, 0.5F);
      add_vector(block + "ffn_down.bias", hidden_, 0, 0.5F);
    }
  }

  GgufWriter& writer_;
  const LlamaShape& shape_;
  const LlamaTypes& types_;
  std::uint64_t hidden_;
  std::uint64_t head_dim_;
  Random random_;
};

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
  for (const std::string& value : values)
    bytes += counted(value);
  add_raw(key, 9, bytes);
}

void GgufWriter::add_floats(const std::string& key, std::span<const float> values) {
  std::string bytes = bytes_of<std::uint32_t>(6) + bytes_of<std::uint64_t>(values.size());
  for (const float value : values)
    bytes += bytes_of(value);
  add_raw(key, 9, bytes);
}

void GgufWriter::add_ints(const std::string& key, std::span<const std::int32_t> values) {
  std::string bytes = bytes_of<std::uint32_t>(5) + bytes_of<std::uint64_t>(values.size());
  for (const std::int32_t value : values)
    bytes += bytes_of(value);
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
  if (says_alignment)
    file += counted("general.alignment") + bytes_of<std::uint32_t>(4) + bytes_of(alignment_);
  const auto pad = [this](std::string& text) {
    while (alignment_ != 0 && text.size() % alignment_ != 0)
      text += '\0';
  };
  std::string data;
  for (const Tensor& tensor : tensors_) {
    pad(data);
    file += counted(tensor.name) + bytes_of(static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::uint64_t size : tensor.shape)
      file += bytes_of(size);
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
  for (std::uint32_t i = 0; i < count; ++i)
    part(i, count).write(folder / part_name(name, i, count));
}

std::string part_name(const std::string& name, std::uint32_t part, std::uint32_t count) {
  const auto padded = [](std::uint32_t number) {
    const std::string text = std::to_string(number);
    return std::string(5 - text.size(), '0') + text;
  };
  return name + "-" + padded(part + 1) + "-of-" + padded(count) + ".gguf";
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  // Creates a new file instead of truncating the old one, which some file systems write to disk at
  // once.
  std::filesystem::remove(path);
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  if (!file.flush())
    throw std::runtime_error("cannot write " + path.string());
}

void add_vocabulary(GgufWriter& writer, std::uint32_t size, std::uint64_t seed,
                    std::uint32_t eos_token) {
  if (size < least_vocab_size)
    throw std::invalid_argument("the vocabulary is too small");
  constexpr std::int32_t normal = 1, unknown = 2, control = 3, byte = 6;
  std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
  std::vector<std::int32_t> types{unknown, control, control};
  for (int value = 0; value < 256; ++value) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    tokens.push_back(std::string("<0x") + digits[value / 16] + digits[value % 16] + ">");
    types.push_back(byte);
  }
  std::vector<std::string> pieces{"\xe2\x96\x81"};  // "▁", which stands for a space
  for (char c = 'a'; c <= 'z'; ++c)
    pieces.emplace_back(1, c);
  for (const char c : std::string_view(".,!?'\""))
    pieces.emplace_back(1, c);
  const std::size_t wanted = size - tokens.size();
  std::set<std::string> known(pieces.begin(), pieces.end());
  Random random(seed);
  while (pieces.size() < wanted) {
    const std::string& left = pieces[random.next() % pieces.size()];
    const std::string& right = pieces[1 + random.next() % 26];
    if (known.insert(left + right).second)
      pieces.push_back(left + right);
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
  LlamaTensors(writer, shape, types, seed).add_all();
  return writer;
}

void write_llama_gguf(const std::filesystem::path& path, const LlamaShape& shape,
                      const LlamaTypes& types, std::uint64_t seed) {
  make_llama(shape, types, seed).write(path);
}

}  // namespace flowspec::test
