#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/formats/tensor_type.hpp"
#include "tests/support/bytes_of.hpp"

namespace flowspec::test {

/// Builds a GGUF file in memory. It checks nothing, so that broken files can be made too.
class GgufWriter {
 public:
  explicit GgufWriter(std::uint32_t version = 3, std::uint32_t alignment = 32)
      : version_(version), alignment_(alignment) {}

  void add_uint(const std::string& key, std::uint32_t value);
  void add_float(const std::string& key, float value);
  void add_bool(const std::string& key, bool value);
  void add_string(const std::string& key, const std::string& value);
  void add_strings(const std::string& key, std::span<const std::string> values);
  void add_floats(const std::string& key, std::span<const float> values);
  void add_ints(const std::string& key, std::span<const std::int32_t> values);
  /// A value of GGUF type `type` with these bytes.
  void add_raw(const std::string& key, std::uint32_t type, const std::string& bytes);

  /// A tensor with these values, converted to `type`.
  void add_tensor(const std::string& name, TensorType type, std::vector<std::uint64_t> shape,
                  std::span<const float> values);
  /// A tensor with these bytes, of any type.
  void add_raw_tensor(const std::string& name, std::uint32_t type, std::vector<std::uint64_t> shape,
                      std::string bytes);

  /// The whole file.
  std::string bytes() const;
  void write(const std::filesystem::path& path) const;

  /// One part of the file, as gguf-split makes it: the first part has the metadata; each has some
  /// of the tensors, in order. A part may have no tensors.
  /// @param part  from 0 on.
  GgufWriter part(std::uint32_t part, std::uint32_t count) const;
  /// Writes all parts: folder/NAME-00001-of-0000N.gguf and so on.
  void write_parts(const std::filesystem::path& folder, const std::string& name,
                   std::uint32_t count) const;

 private:
  struct Tensor {
    std::string name;
    std::uint32_t type;
    std::vector<std::uint64_t> shape;
    std::string bytes;
  };

  std::uint32_t version_;
  std::uint32_t alignment_;
  std::uint64_t key_count_ = 0;
  std::string metadata_;
  std::vector<Tensor> tensors_;
};

/// "NAME-00001-of-00003.gguf", for instance.
/// @param part  from 0 on.
std::string part_name(const std::string& name, std::uint32_t part, std::uint32_t count);

/// Writes `bytes` as a file.
void write_file(const std::filesystem::path& path, const std::string& bytes);

struct LlamaShape {
  /// "llama", "qwen2" (which has biases), "qwen3" (which has norms of heads).
  std::string architecture = "llama";
  std::uint32_t hidden_size = 64;
  std::uint32_t layers = 2;
  std::uint32_t heads = 4;
  std::uint32_t kv_heads = 2;
  /// 0: hidden_size / heads, and the file does not have it.
  std::uint32_t head_dim = 0;
  std::uint32_t ffn_size = 96;
  /// At least `least_vocab_size`.
  std::uint32_t vocab_size = 320;
  std::uint32_t context_length = 512;
  /// 0: head_dim, and the file does not have it.
  std::uint32_t rope_dims = 0;
  float rope_theta = 10000;
  float rms_eps = 1e-5F;
  /// Whether query, key and value (default: only for qwen2), the attention's output, and the FFN
  /// have biases.
  std::optional<bool> qkv_bias = std::nullopt;
  bool output_bias = false;
  bool ffn_bias = false;
  /// Tied embeddings: no output.weight.
  bool tied = false;
  /// The sliding window in the file, in tokens; 0: the file has none.
  std::uint32_t window = 0;
  /// The token that ends a text.
  std::uint32_t eos_token = 2;
};

/// Norms and biases are always F32. Row lengths must be multiples of 32 for types
/// with blocks, of 256 for K-quants.
struct LlamaTypes {
  TensorType embedding = TensorType::f32;
  TensorType matrices = TensorType::f32;
  TensorType output = TensorType::f32;
};

/// Control tokens, bytes and single letters.
inline constexpr std::uint32_t least_vocab_size = 300;

/// Adds a SentencePiece-style vocabulary: <unk>, <s>, </s>, the 256 bytes, "▁", a to z, some marks,
/// then words made by joining two earlier pieces at random, with falling scores.
void add_vocabulary(GgufWriter& writer, std::uint32_t size, std::uint64_t seed,
                    std::uint32_t eos_token = 2);

/// A model with random weights, scaled so that hidden states stay near 1 and the most likely tokens
/// differ clearly in their logits. The same arguments give the same file.
GgufWriter make_llama(const LlamaShape& shape, const LlamaTypes& types, std::uint64_t seed);
void write_llama_gguf(const std::filesystem::path& path, const LlamaShape& shape,
                      const LlamaTypes& types, std::uint64_t seed);

}  // namespace flowspec::test
