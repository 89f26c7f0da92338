// The bits that everything must give that calls itself by the number in models/numerics.cpp: nodes
// with one number compute parts of one text, so a change of any bit here wants a new number there,
// and then the values that this test prints.
//
// All inputs come from integers, so that no library of the machine takes part in them.
#include <array>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/kernels/kernels.hpp"
#include "models/kv/host_kv_cache.hpp"
#include "models/numerics.hpp"
#include "models/ops/attention.hpp"
#include "models/ops/bf16/family.hpp"
#include "models/ops/linear.hpp"
#include "models/ops/packed/kernels.hpp"
#include "models/ops/rms_norm.hpp"
#include "models/ops/rope.hpp"
#include "models/ops/swiglu.hpp"
#include "models/sampling/sampler.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/plain_logits.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

constexpr std::string_view advice =
    "other bits than nodes of this version compute: if that is meant, raise the number in "
    "models/numerics.cpp and take over the new value";

/// SplitMix64.
class Integers {
 public:
  explicit Integers(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

 private:
  std::uint64_t state_;
};

/// Multiples of 2^-20 between -`size` and `size`.
std::vector<float> numbers(std::size_t count, std::uint64_t seed, float size = 1) {
  Integers integers(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    const auto steps = static_cast<std::int32_t>(integers.next() >> 43) - (1 << 20);
    value = size * static_cast<float>(steps) * 0x1p-20F;
  }
  return values;
}

/// FNV-1a, 64 bits.
class Hash {
 public:
  void add(const void* data, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      std::uint8_t byte = 0;
      std::memcpy(&byte, static_cast<const char*>(data) + i, 1);
      state_ = (state_ ^ byte) * 0x100000001b3;
    }
  }
  std::string text() const {
    std::string digits;
    for (int shift = 60; shift >= 0; shift -= 4)
      digits += "0123456789abcdef"[state_ >> shift & 15];
    return digits;
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

template <class T>
std::string hash_of(const std::vector<T>& values) {
  Hash hash;
  hash.add(values.data(), values.size() * sizeof(T));
  return hash.text();
}

void check_bits(const std::string& bits, const std::string& expected, const std::string& what) {
  BOOST_TEST(bits == expected, what << ": " << bits << ", expected " << expected << "; " << advice);
}

/// A matrix of random bits, whose scales are small.
struct Weights {
  Weights(TensorType type, std::size_t inputs, std::size_t outputs) {
    const BlockLayout layout = *block_layout(type);
    Integers integers(static_cast<std::uint64_t>(type));
    bytes.resize(inputs / layout.values * layout.bytes * outputs);
    for (std::byte& byte : bytes)
      byte = static_cast<std::byte>(integers.next() >> 56);
    for (std::size_t at = 0; at < bytes.size(); at += layout.bytes)
      limit(type, &bytes[at]);
    tensor.type = type;
    tensor.shape = {inputs, outputs};
    tensor.data = bytes;
  }

  /// The upper byte of every float gets an exponent of about -6, and keeps its sign.
  static void limit(TensorType type, std::byte* block) {
    const auto to_half = [block](std::size_t upper) {
      block[upper] = (block[upper] & std::byte{0x83}) | std::byte{0x24};
    };
    switch (type) {
      case TensorType::f32:
        block[3] = (block[3] & std::byte{0x80}) | std::byte{0x3c};
        return;
      case TensorType::bf16:
        block[1] = (block[1] & std::byte{0x80}) | std::byte{0x3c};
        return;
      case TensorType::q6_k:
        return to_half(209);
      case TensorType::q4_1:
      case TensorType::q5_1:
      case TensorType::q4_k:
      case TensorType::q5_k:
        to_half(3);
        return to_half(1);
      default:
        return to_half(1);
    }
  }

  std::vector<std::byte> bytes;
  TensorInfo tensor;
};

struct Golden {
  TensorType type;
  const char* bits;
};

BOOST_AUTO_TEST_CASE(bits_of_products_with_every_type_of_weights) {
  const std::vector<Golden> all{
      {TensorType::f32, "d1674ade29ebdcb9"},  {TensorType::f16, "197ffa10458bcade"},
      {TensorType::bf16, "5b630457addf04e2"}, {TensorType::q8_0, "2339341507f427ee"},
      {TensorType::q5_1, "2d37bcddabb92ae0"}, {TensorType::q5_0, "bd608b7a168bf15a"},
      {TensorType::q4_1, "83815eb145fcab40"}, {TensorType::q4_0, "3a49a5d69c253770"},
      {TensorType::q6_k, "ed8da1cab57dc3a1"}, {TensorType::q5_k, "f9196010547b6dd6"},
      {TensorType::q4_k, "76f51bd3fb91702a"}};
  constexpr std::size_t inputs = 512;
  constexpr std::size_t outputs = 40;
  constexpr std::size_t rows = 5;
  const std::vector<float> in = numbers(rows * inputs, 7, 3);
  const packed::KernelSet& before = packed::kernels_in_use();
  for (const Golden& golden : all) {
    const Weights weights(golden.type, inputs, outputs);
    const TensorInfo* parts[] = {&weights.tensor};
    for (const packed::KernelSet* kernels : packed::available_kernels()) {
      packed::use_kernels(*kernels);
      const Linear linear(LinearContext(1, LinearForm::packed), parts);
      std::vector<float> out(rows * outputs);
      linear.apply(in, rows, out);
      check_bits(hash_of(out), golden.bits,
                 type_name(golden.type) + " by " + std::string(kernels->name));
    }
  }
  packed::use_kernels(before);
}

/// Of what models/ops/bf16 defines for the instructions that oneDNN has here.
BOOST_AUTO_TEST_CASE(bits_of_bf16_weights_by_onednn) {
  if (!bf16::family().form) {
    BOOST_TEST_MESSAGE("not tested: " << bf16::family().lack);
    return;
  }
  const bool is_amx = *bf16::family().form == bf16::Form::amx;
  struct Shape {
    std::size_t inputs;
    const char* amx;
    const char* avx512;
  };
  constexpr std::size_t outputs = 140;
  constexpr std::size_t rows = 5;
  for (const Shape& shape : {Shape{512, "b52ea75efc13d8d0", "3989b83712239e62"},
                             Shape{1056, "d51518c5ec991e5c", "cf83bd6380d4e52d"},
                             Shape{5000, "820ef8bd607132eb", "f8a6919dddbc620b"}}) {
    const Weights weights(TensorType::bf16, shape.inputs, outputs);
    const TensorInfo* parts[] = {&weights.tensor};
    const Linear linear(LinearContext(1, LinearForm::bf16), parts);
    std::vector<float> out(rows * outputs);
    linear.apply(numbers(rows * shape.inputs, 7, 3), rows, out);
    check_bits(hash_of(out), is_amx ? shape.amx : shape.avx512,
               std::string(bf16::name_of(*bf16::family().form)) + ", " +
                   std::to_string(shape.inputs) + " inputs");
  }
}

std::vector<float> attend(const kernels::AttentionKernels& loops, KvType type) {
  constexpr std::uint32_t dim = 24;
  constexpr std::uint32_t heads = 6;
  constexpr std::uint32_t kv_heads = 2;
  constexpr std::uint32_t count = 77;
  HostKvCache cache(1, kv_heads, dim, count, type);
  std::vector<Slot> slots(count);
  for (std::uint32_t p = 0; p < count; ++p) {
    slots[p] = p * 31 % count;
    cache.write_keys(0, slots[p], numbers(std::size_t{kv_heads} * dim, 100 + p, 4));
    cache.write_values(0, slots[p], numbers(std::size_t{kv_heads} * dim, 300 + p));
  }
  const std::span<const Slot> all(slots);
  const RowContext row{&cache, count - 1, slots.back(), all.first(50), all.subspan(50)};
  Attention attention({heads, kv_heads, dim}, 1, loops);
  std::vector<float> out(std::size_t{heads} * dim);
  attention.apply(numbers(out.size(), 5, 4), {&row, 1}, 0, out);
  return out;
}

BOOST_AUTO_TEST_CASE(bits_of_attention) {
  for (const kernels::AttentionKernels* loops : kernels::available_attention_kernels()) {
    check_bits(hash_of(attend(*loops, KvType::f32)), "3e6a7f4829daeb93",
               "floats by " + std::string(loops->name));
    check_bits(hash_of(attend(*loops, KvType::f16)), "49c9f4cda22ba42c",
               "halves by " + std::string(loops->name));
  }
}

std::vector<float> turned(RopeLayout layout, const RopeScaling& scaling) {
  constexpr std::uint32_t dim = 64;
  Rope rope(dim, dim, 500000, layout, scaling);
  rope.prepare(20000);
  std::vector<float> result;
  for (const Position position : {0U, 1U, 2U, 1000U, 19999U}) {
    std::vector<float> out(2 * dim);
    rope.rotate(numbers(2 * dim, position).data(), 2, position, dim, out.data());
    result.insert(result.end(), out.begin(), out.end());
  }
  return result;
}

BOOST_AUTO_TEST_CASE(bits_of_rotations) {
  RopeScaling yarn;
  yarn.kind = RopeScalingKind::yarn;
  yarn.factor = 4;
  yarn.original_context = 4096;
  yarn.magnitude = yarn_magnitude(4);
  RopeScaling llama;
  llama.kind = RopeScalingKind::llama3;
  llama.factor = 8;
  llama.original_context = 8192;
  check_bits(hash_of(turned(RopeLayout::pairs, {})), "f6e828de3fddc9fe", "pairs");
  check_bits(hash_of(turned(RopeLayout::halves, {})), "78460966ec9191de", "halves");
  check_bits(hash_of(turned(RopeLayout::pairs, yarn)), "4f8acf6e0d69dcdc", "YaRN");
  check_bits(hash_of(turned(RopeLayout::pairs, llama)), "383d86dc97a23c1e", "LLaMA 3");
}

BOOST_AUTO_TEST_CASE(bits_of_loops_without_weights) {
  constexpr std::size_t size = 205;
  const std::vector<float> weights = numbers(size, 2);
  TensorInfo tensor;
  tensor.shape = {size};
  tensor.data = std::as_bytes(std::span(weights));
  std::vector<float> out(3 * size);
  RmsNorm(tensor, 1e-5F).apply(numbers(3 * size, 3, 10), 3, out);
  check_bits(hash_of(out), "49bf06cc8e9c180e", "RMSNorm");
  SwiGlu(size).apply(numbers(6 * size, 4, 20), 3, out);
  check_bits(hash_of(out), "e7af4cc3f5cd7757", "SwiGLU");
  kernels::exp(numbers(3 * size, 5, 100).data(), 3 * size, out.data());
  check_bits(hash_of(out), "d266192c3efa00ce", "exponential");
  std::vector<Half> halves(size);
  kernels::to_half(numbers(size, 6, 60000).data(), size, halves.data());
  check_bits(hash_of(halves), "f2e6bd6ec09ddbed", "rounding to halves");
}

BOOST_AUTO_TEST_CASE(tokens_of_the_sampler) {
  std::vector<Token> tokens;
  for (Position position = 0; position < 300; ++position) {
    const std::vector<float> logits = numbers(1000, position, 8);
    tokens.push_back(sample(logits, {}, position));
    tokens.push_back(sample(logits, {.temperature = 0.8F, .seed = 5}, position));
    tokens.push_back(
        sample(logits, {.temperature = 1.5F, .top_k = 40, .top_p = 0.9F, .seed = 6}, position));
  }
  check_bits(hash_of(tokens), "ef24ba4126cfb8bf", "tokens");
}

BOOST_AUTO_TEST_CASE(bits_of_the_embedded_model) {
  const GgufFile file = GgufFile::open(source_path("models/embedded/target.gguf"));
  const ModelConfig config = read_config(file);
  std::vector<Token> text(40);
  Integers integers(1);
  for (Token& token : text)
    token = static_cast<Token>(integers.next() % config.vocab_size);
  for (const LinearForm form : {LinearForm::automatic, LinearForm::packed}) {
    check_bits(hash_of(plain_logits(file, config, text, {.layers = {}, .form = form})),
               "ecf8db76ea391a41", "logits");
  }
  BOOST_TEST(numerics_id(file, config) == own_numerics(numerics_id()));
}

}  // namespace
