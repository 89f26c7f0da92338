// What quantised weights, and keys and values of 16 bits, cost on the embedded model's held-out
// stories.
//
// FLOWSPEC_PERPLEXITY_STORIES=100 measures over more stories.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/layers/lm_head.hpp"
#include "models/ops/bf16/family.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

const std::filesystem::path folder = source_path("models/embedded");

std::vector<std::vector<Token>> stories(const GgufFile& file) {
  const Tokenizer tokenizer = Tokenizer::from_gguf(file);
  const char* wanted = std::getenv("FLOWSPEC_PERPLEXITY_STORIES");
  const std::size_t count = wanted != nullptr ? std::stoul(wanted) : 12;
  std::ifstream lines(folder / "heldout.jsonl");
  std::vector<std::vector<Token>> result;
  for (std::string line; result.size() < count && std::getline(lines, line);) {
    const auto story = nlohmann::json::parse(line);
    result.push_back(tokenizer.encode(story["prompt"].get<std::string>() +
                                      story["continuation"].get<std::string>()));
  }
  return result;
}

/// The embedded target with its matrices converted to another type.
void write_converted(const GgufFile& file, const std::filesystem::path& path, TensorType type) {
  GgufWriter writer;
  const std::string prefix = "llama.";
  writer.add_string("general.architecture", "llama");
  for (const char* key : {"embedding_length", "block_count", "feed_forward_length",
                          "context_length", "attention.head_count", "attention.head_count_kv"})
    writer.add_uint(prefix + key, static_cast<std::uint32_t>(file.require_uint(prefix + key)));
  const std::string eps = prefix + "attention.layer_norm_rms_epsilon";
  writer.add_float(eps, static_cast<float>(file.require_float(eps)));
  const std::vector<std::string> tokens = file.require_strings("tokenizer.ggml.tokens");
  writer.add_strings("tokenizer.ggml.tokens", tokens);
  for (const TensorInfo& tensor : file.tensors()) {
    std::vector<float> values(tensor.elements());
    to_float(tensor.type, tensor.data, values);
    writer.add_tensor(tensor.name, tensor.shape.size() == 1 ? TensorType::f32 : type, tensor.shape,
                      values);
  }
  writer.write(path);
}

/// Mean of -log p over the tokens of all texts but their first.
double loss(const GgufFile& file, const std::vector<std::vector<Token>>& texts,
            KvType kv_type = KvType::f32, HiddenType hidden_type = HiddenType::f32,
            LinearForm form = LinearForm::packed) {
  const ModelConfig config = read_config(file);
  CpuStageModel model(
      file, config,
      {.layers = {0, config.layers}, .kv_type = kv_type, .form = form, .hidden_type = hidden_type});
  LmHead head(file, config, 1, 64, form);
  std::vector<Slot> slots(config.context_length);
  std::iota(slots.begin(), slots.end(), Slot{0});
  double total = 0;
  std::size_t count = 0;
  for (const std::vector<Token>& text : texts) {
    const std::size_t size = std::min(text.size(), slots.size());
    const auto cache = model.make_cache(static_cast<std::uint32_t>(size));
    std::vector<RowContext> rows;
    for (std::size_t p = 0; p < size; ++p) {
      rows.push_back({cache.get(), static_cast<Position>(p), slots[p], std::span(slots).first(p),
                      std::span(slots).subspan(p, 1)});
    }
    std::vector<float> hidden(size * config.hidden_size);
    std::vector<float> logits(size * config.vocab_size);
    model.forward_tokens(std::span(text).first(size), rows, hidden);
    head.features(hidden, size, hidden);
    head.logits(hidden, size, logits);
    for (std::size_t p = 0; p + 1 < size; ++p) {
      const auto row = std::span(logits).subspan(p * config.vocab_size, config.vocab_size);
      double sum = 0;
      for (const float logit : row)
        sum += std::exp(static_cast<double>(logit));
      total += std::log(sum) - static_cast<double>(row[static_cast<std::size_t>(text[p + 1])]);
      ++count;
    }
  }
  return total / static_cast<double>(count);
}

BOOST_AUTO_TEST_CASE(activations_rounded_for_onednn_keep_the_perplexity) {
  if (!bf16::family().form) {
    BOOST_TEST_MESSAGE("not tested: " << bf16::family().lack);
    return;
  }
  const TempFolder temporary;
  const GgufFile original = GgufFile::open(folder / "target.gguf");
  write_converted(original, temporary / "bf16.gguf", TensorType::bf16);
  const GgufFile file = GgufFile::open(temporary / "bf16.gguf");
  const auto texts = stories(original);
  const auto by = [&](LinearForm form) {
    return loss(file, texts, KvType::f32, HiddenType::f32, form);
  };
  const double exact = by(LinearForm::packed);
  const double rounded = by(LinearForm::bf16);
  BOOST_TEST_MESSAGE(bf16::name_of(*bf16::family().form)
                     << ": perplexity " << std::exp(rounded) << ", by our own kernels "
                     << std::exp(exact));
  BOOST_TEST(rounded != exact);
  BOOST_TEST(std::abs(rounded / exact - 1) < 0.001);
}

BOOST_AUTO_TEST_CASE(quantised_weights_keep_the_perplexity) {
  const TempFolder temporary;
  const GgufFile original = GgufFile::open(folder / "target.gguf");
  const auto texts = stories(original);
  const auto converted = [&](TensorType type) {
    const auto path = temporary / (type_name(type) + ".gguf");
    write_converted(original, path, type);
    return loss(GgufFile::open(path), texts);
  };
  const double f32 = converted(TensorType::f32);
  BOOST_TEST_MESSAGE("F32: perplexity " << std::exp(f32));
  BOOST_TEST(f32 < 1.8);
  const auto compare = [&](const std::string& name, double quantised, double most) {
    const double ratio = std::exp(quantised - f32) - 1;
    BOOST_TEST_MESSAGE(name << ": perplexity " << std::exp(quantised) << ", " << 100 * ratio
                            << " % more");
    BOOST_TEST(ratio < most, name);
  };
  compare("Q8_0", loss(original, texts), 0.005);
  compare("Q5_1", converted(TensorType::q5_1), 0.01);
  compare("Q5_0", converted(TensorType::q5_0), 0.01);
  compare("Q4_1", converted(TensorType::q4_1), 0.03);
  compare("Q4_0", converted(TensorType::q4_0), 0.03);
}

BOOST_AUTO_TEST_CASE(keys_and_values_of_16_bits_keep_the_perplexity) {
  const GgufFile file = GgufFile::open(folder / "target.gguf");
  const auto texts = stories(file);
  const double ratio = std::exp(loss(file, texts, KvType::f16) - loss(file, texts)) - 1;
  BOOST_TEST_MESSAGE("F16 keys and values: perplexity " << 100 * ratio << " % more");
  BOOST_TEST(std::abs(ratio) < 0.001);
}

BOOST_AUTO_TEST_CASE(hidden_states_of_16_bits_keep_the_perplexity) {
  const GgufFile file = GgufFile::open(folder / "target.gguf");
  const auto texts = stories(file);
  const double exact = loss(file, texts);
  BOOST_TEST_MESSAGE("F32 hidden states: perplexity " << std::exp(exact));
  for (const auto& [type, most] :
       {std::pair{HiddenType::f16, 0.001}, std::pair{HiddenType::bf16, 0.01}}) {
    const double rounded = loss(file, texts, KvType::f32, type);
    const double ratio = std::exp(rounded - exact) - 1;
    BOOST_TEST_MESSAGE(name_of(type) << " hidden states: perplexity " << std::exp(rounded) << ", "
                                     << 100 * ratio << " % more");
    BOOST_TEST(rounded != exact);
    BOOST_TEST(std::abs(ratio) < most);
  }
}

}  // namespace
