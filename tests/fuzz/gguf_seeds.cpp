#include <array>
#include <cmath>
#include <vector>

#include "models/formats/gguf_reader.hpp"
#include "tests/fuzz/seeds.hpp"
#include "tests/support/gguf_writer.hpp"

namespace flowspec::fuzz {
namespace {

using namespace flowspec::test;

GgufWriter model(const std::string& architecture, std::uint32_t version = 3) {
  GgufWriter writer(version);
  writer.add_string("general.architecture", architecture);
  writer.add_uint(architecture + ".context_length", 16);
  writer.add_uint(architecture + ".embedding_length", 4);
  writer.add_uint(architecture + ".block_count", 1);
  writer.add_uint(architecture + ".feed_forward_length", 4);
  writer.add_uint(architecture + ".attention.head_count", 2);
  writer.add_float(architecture + ".attention.layer_norm_rms_epsilon", 1e-5F);
  return writer;
}

void add_pieces(GgufWriter& writer) {
  const std::vector<std::string> texts{"<unk>", "<s>", "<0x61>", "ab", "a", "b", "\xe2\x96\x81"};
  writer.add_string("tokenizer.ggml.model", "llama");
  writer.add_strings("tokenizer.ggml.tokens", texts);
  writer.add_floats("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, -1, -2, -3, -4});
  writer.add_ints("tokenizer.ggml.token_type", std::vector<std::int32_t>{2, 3, 6, 1, 1, 1, 4});
  writer.add_uint("tokenizer.ggml.bos_token_id", 1);
  writer.add_bool("tokenizer.ggml.add_space_prefix", true);
  writer.add_tensor("token_embd.weight", TensorType::f32, {4, texts.size()},
                    std::vector<float>(4 * texts.size()));
}

void add_byte_pairs(GgufWriter& writer, const std::string& words) {
  const std::vector<std::string> texts{"a", "b", "ab", "\xc4\xa0", "1", "<s>", "<tool>"};
  writer.add_string("tokenizer.ggml.model", "gpt2");
  writer.add_string("tokenizer.ggml.pre", words);
  writer.add_strings("tokenizer.ggml.tokens", texts);
  writer.add_ints("tokenizer.ggml.token_type", std::vector<std::int32_t>{1, 1, 1, 1, 1, 3, 4});
  writer.add_strings("tokenizer.ggml.merges", std::vector<std::string>{"a b", "ab \xc4\xa0"});
  writer.add_uint("tokenizer.ggml.eos_token_id", 5);
}

std::string pieces(std::uint32_t version) {
  GgufWriter writer = model("llama", version);
  add_pieces(writer);
  return writer.bytes();
}

std::string byte_pairs(const std::string& architecture, const std::string& words) {
  GgufWriter writer = model(architecture);
  add_byte_pairs(writer, words);
  return writer.bytes();
}

/// A tensor of every type.
std::string tensors() {
  GgufWriter writer = model("llama");
  std::vector<float> values(256);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = std::sin(static_cast<float>(i));
  for (const TensorType type :
       {TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::q8_0, TensorType::q4_0,
        TensorType::q4_1, TensorType::q5_0, TensorType::q5_1})
    writer.add_tensor(type_name(type), type, {32}, std::span(values).first(32));
  for (const TensorType type : {TensorType::q4_k, TensorType::q5_k, TensorType::q6_k})
    writer.add_tensor(type_name(type), type, {256, 1}, values);
  writer.add_raw_tensor("unknown", 99, {3, 2, 1, 1}, "123456");
  return writer.bytes();
}

/// Metadata of every type.
std::string metadata() {
  GgufWriter writer(3, 8);
  writer.add_string("general.architecture", "qwen3");
  for (std::uint32_t type = 0; type <= 12; ++type) {
    const std::size_t size = fixed_size(static_cast<GgufType>(type));
    const std::string key = std::to_string(type);
    if (size != 0) {
      writer.add_raw(key, type, std::string(size, '\1'));
      writer.add_raw("array " + key, 9,
                     bytes_of(type) + bytes_of<std::uint64_t>(2) + std::string(2 * size, '\1'));
    }
  }
  const std::string inner = bytes_of<std::uint32_t>(0) + bytes_of<std::uint64_t>(2) + "ab";
  writer.add_raw("arrays", 9,
                 bytes_of<std::uint32_t>(9) + bytes_of<std::uint64_t>(2) + inner + inner);
  writer.add_raw("qwen3.context_length", 10, bytes_of<std::uint64_t>(32));
  writer.add_raw("qwen3.embedding_length", 2, bytes_of<std::uint16_t>(8));
  writer.add_raw("qwen3.block_count", 0, "\1");
  writer.add_raw("qwen3.feed_forward_length", 5, bytes_of<std::int32_t>(8));
  writer.add_raw("qwen3.attention.head_count", 11, bytes_of<std::int64_t>(2));
  writer.add_uint("qwen3.attention.head_count_kv", 1);
  writer.add_uint("qwen3.attention.key_length", 6);
  writer.add_uint("qwen3.attention.value_length", 6);
  writer.add_raw("qwen3.attention.layer_norm_rms_epsilon", 12, bytes_of(1e-6));
  writer.add_uint("qwen3.vocab_size", 7);
  add_byte_pairs(writer, "qwen2");
  return writer.bytes();
}

std::string yarn() {
  GgufWriter writer = model("qwen2");
  writer.add_string("qwen2.rope.scaling.type", "yarn");
  writer.add_float("qwen2.rope.scaling.factor", 4);
  writer.add_float("qwen2.rope.scaling.attn_factor", 1);
  writer.add_uint("qwen2.rope.scaling.original_context_length", 8);
  writer.add_float("qwen2.rope.scaling.yarn_beta_fast", 32);
  writer.add_float("qwen2.rope.scaling.yarn_beta_slow", 1);
  writer.add_float("qwen2.rope.scaling.yarn_ext_factor", -1);
  writer.add_float("qwen2.rope.freq_base", 10000);
  writer.add_uint("qwen2.attention.sliding_window", 8);
  add_byte_pairs(writer, "qwen2");
  return writer.bytes();
}

std::string divisors() {
  GgufWriter writer = model("llama");
  writer.add_float("llama.rope.scale_linear", 2);
  writer.add_uint("llama.rope.dimension_count", 2);
  writer.add_tensor("rope_freqs.weight", TensorType::f32, {1}, std::vector<float>{2});
  add_pieces(writer);
  return writer.bytes();
}

/// One part of a split model.
std::string part() {
  GgufWriter writer = model("llama");
  add_pieces(writer);
  return writer.part(0, 2).bytes();
}

}  // namespace

Seeds gguf_seeds() {
  return {{"pieces.gguf", pieces(3)},
          {"version_2.gguf", pieces(2)},
          {"byte_pairs.gguf", byte_pairs("llama", "llama-bpe")},
          {"gpt2.gguf", byte_pairs("qwen2", "gpt-2")},
          {"tensors.gguf", tensors()},
          {"metadata.gguf", metadata()},
          {"yarn.gguf", yarn()},
          {"divisors.gguf", divisors()},
          {"part.gguf", part()}};
}

}  // namespace flowspec::fuzz
