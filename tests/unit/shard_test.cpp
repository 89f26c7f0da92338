/// Weights that several stages compute with, at the same time.

#include "models/layers/shard.hpp"

#include <array>
#include <latch>
#include <memory>
#include <numeric>
#include <span>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/formats/gguf.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// The hidden states of some tokens, each behind the one before, in segments of `rows` rows.
std::vector<float> hidden_of(StageModel& stage, std::size_t rows) {
  const std::vector<Token> tokens{5, 9, 2, 7, 7, 300, 1, 40, 8, 8, 33, 2};
  std::vector<Slot> slots(tokens.size());
  std::iota(slots.begin(), slots.end(), Slot{0});
  const auto cache = stage.make_cache(static_cast<std::uint32_t>(slots.size()));
  std::vector<float> hidden(tokens.size() * stage.hidden_size());
  for (std::size_t first = 0; first < tokens.size(); first += rows) {
    const auto count = std::min(rows, tokens.size() - first);
    std::vector<RowContext> contexts;
    for (std::size_t i = first; i < first + count; ++i)
      contexts.push_back(
          {cache.get(), slots[i], static_cast<Position>(i), {}, std::span(slots).first(i + 1)});
    stage.forward_tokens(std::span(tokens).subspan(first, count), contexts,
                         std::span(hidden).subspan(first * stage.hidden_size()));
  }
  return hidden;
}

struct Model {
  explicit Model(TensorType type) {
    // Sums are long enough to be divided.
    const LlamaShape shape{.hidden_size = 256, .layers = 2, .heads = 8, .ffn_size = 1024};
    write_llama_gguf(folder / "m.gguf", shape, {type, type, type}, 3);
    file = std::make_unique<GgufFile>(GgufFile::open(folder / "m.gguf"));
    config = read_config(*file);
  }

  TempFolder folder;
  std::unique_ptr<GgufFile> file;
  ModelConfig config;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(shards)

BOOST_AUTO_TEST_CASE(stages_that_share_weights_compute_side_by_side_and_exactly) {
  for (const TensorType type : {TensorType::f32, TensorType::q8_0, TensorType::f16})
    for (const LinearForm form : {LinearForm::automatic, LinearForm::packed}) {
      const Model model(type);
      // Two users of the same kind, and one whose state is kept otherwise.
      std::array<StageOptions, 3> options;
      options.fill({.layers = {0, 2}, .threads = 2, .max_rows = 16, .form = form});
      options[2].kv_type = KvType::f16;
      options[2].hidden_type = HiddenType::bf16;
      options[2].max_rows = 3;
      std::array<std::vector<float>, 3> expected;
      for (std::size_t i = 0; i < options.size(); ++i) {
        CpuStageModel alone(*model.file, model.config, options[i]);
        expected[i] = hidden_of(alone, 5);
      }
      auto weights = std::make_shared<const Shard>(*model.file, model.config,
                                                   ShardOptions{{0, 2}, options[0].threads, form});
      std::array<int, 3> wrong{};
      std::latch start(3);
      {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < options.size(); ++i)
          threads.emplace_back([&, i] {
            CpuStageModel stage(weights, options[i]);
            start.arrive_and_wait();
            for (std::size_t rows = 1; rows <= 12; ++rows)
              wrong[i] += hidden_of(stage, rows) == expected[i] ? 0 : 1;
          });
      }
      for (std::size_t i = 0; i < options.size(); ++i)
        BOOST_TEST(wrong[i] == 0, type_name(type) << ", stage " << i);
    }
}

BOOST_AUTO_TEST_CASE(a_stage_keeps_the_weights_that_others_have_let_go_of) {
  const Model model(TensorType::f32);
  const StageOptions options{.layers = {0, 2}};
  CpuStageModel alone(*model.file, model.config, options);
  auto weights = std::make_shared<const Shard>(*model.file, model.config, ShardOptions{{0, 2}});
  auto first = std::make_unique<CpuStageModel>(weights, options);
  CpuStageModel second(weights, options);
  const std::weak_ptr<const Shard> watched = weights;
  weights.reset();
  first.reset();
  BOOST_TEST((hidden_of(second, 4) == hidden_of(alone, 4)));
  BOOST_TEST(!watched.expired());
}

BOOST_AUTO_TEST_CASE(weights_and_scratch_memory_are_counted_apart) {
  const Model model(TensorType::q8_0);
  for (const std::uint32_t rows : {0U, 7U})
    BOOST_TEST(CpuStageModel::needed_bytes(*model.file, model.config, {0, 2}, rows) ==
               Shard::needed_bytes(*model.file, model.config, {0, 2}) +
                   CpuStageModel::scratch_bytes(model.config, rows));
}

BOOST_AUTO_TEST_SUITE_END()
