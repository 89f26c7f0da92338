// A row's result is the same to the last bit however it is computed.
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/kernels/rounding.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/layers/lm_head.hpp"
#include "models/numerics.hpp"
#include "models/ops/linear.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/reference_run.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/support/tree_run.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// A model of five layers, and two trees whose every node has been computed alone.
struct Fixture {
  explicit Fixture(const LlamaShape& shape, const LlamaTypes& types = {}, KvType kv = KvType::f32,
                   HiddenType hidden = HiddenType::f32)
      : kv_type(kv), hidden_type(hidden) {
    write_llama_gguf(folder / "model.gguf", shape, types, 3);
    file = std::make_unique<GgufFile>(GgufFile::open(folder / "model.gguf"));
    config = read_config(*file);
    trees = {random_tree(random, config.vocab_size, 70, 60),
             random_tree(random, config.vocab_size, 12, 30)};
    expected = run({config.layers}, plain_plan(trees, 1));
  }

  std::vector<CpuStageModel> stages(const std::vector<std::uint32_t>& sizes, unsigned threads = 1,
                                    std::uint32_t max_rows = 64) const {
    std::vector<CpuStageModel> result;
    std::uint32_t first = 0;
    for (const std::uint32_t size : sizes) {
      result.emplace_back(*file, config,
                          StageOptions{{first, first + size},
                                       threads,
                                       max_rows,
                                       kv_type,
                                       LinearForm::automatic,
                                       hidden_type});
      first += size;
    }
    return result;
  }

  Hidden run(const std::vector<std::uint32_t>& sizes, const TestPlan& plan, unsigned threads = 1,
             std::uint32_t max_rows = 64) const {
    std::vector<CpuStageModel> models = stages(sizes, threads, max_rows);
    return run_plan(models, trees, plan);
  }

  std::size_t differences(const std::vector<std::uint32_t>& sizes, const TestPlan& plan,
                          unsigned threads = 1, std::uint32_t max_rows = 64) const {
    return differing_nodes(run(sizes, plan, threads, max_rows), expected);
  }

  KvType kv_type;
  HiddenType hidden_type;
  TempFolder folder;
  std::mt19937 random{5};
  std::unique_ptr<GgufFile> file;
  ModelConfig config;
  std::vector<TestTree> trees;
  Hidden expected;
};

constexpr std::array kv_types{KvType::f32, KvType::f16};

std::vector<LlamaShape> shapes() {
  std::vector<LlamaShape> result(5);
  result[0] = {.hidden_size = 64, .layers = 5, .heads = 8, .kv_heads = 4, .ffn_size = 172};
  result[1] = {.hidden_size = 60, .layers = 5, .heads = 5, .kv_heads = 1, .ffn_size = 101};
  result[2] = {.hidden_size = 192, .layers = 5, .heads = 3, .kv_heads = 3, .ffn_size = 512};
  result[3] = {.architecture = "qwen2",
               .hidden_size = 70,
               .layers = 5,
               .heads = 7,
               .kv_heads = 1,
               .ffn_size = 90};
  result[4] = {.architecture = "qwen3",
               .hidden_size = 48,
               .layers = 5,
               .heads = 4,
               .kv_heads = 2,
               .head_dim = 20,
               .ffn_size = 130};
  return result;
}

/// With every type of keys and values.
void for_each_kv_type(const LlamaShape& shape, const std::function<void(Fixture&)>& check) {
  for (const KvType kv : kv_types) {
    BOOST_TEST_CONTEXT(name_of(kv) << " keys and values") {
      Fixture fixture(shape, {}, kv);
      check(fixture);
    }
  }
}

void for_each_model(const std::function<void(Fixture&)>& check) {
  for (const LlamaShape& shape : shapes())
    for_each_kv_type(shape, check);
}

BOOST_AUTO_TEST_CASE(segments_of_any_size_give_the_same_bits) {
  for_each_model([](const Fixture& fixture) {
    for (const std::size_t rows : {2, 3, 4, 5, 6, 7, 8, 13, 16, 31, 33, 64})
      BOOST_TEST(fixture.differences({5}, plain_plan(fixture.trees, rows)) == 0U,
                 rows << " rows in a segment");
  });
}

BOOST_AUTO_TEST_CASE(segments_beyond_max_rows_give_the_same_bits) {
  for_each_kv_type(
      shapes()[0],
      [](const Fixture& fixture) {
        for (const std::uint32_t max_rows : {1U, 7U, 64U, 200U})
          BOOST_TEST(fixture.differences({5}, plain_plan(fixture.trees, 172), 1, max_rows) == 0U,
                     "max_rows " << max_rows);
      });
}

BOOST_AUTO_TEST_CASE(other_rows_and_their_order_do_not_matter) {
  for_each_model([](Fixture& fixture) {
    for (const std::size_t rows : {5, 64, 64, 64}) {
      const TestPlan plan = shuffled_plan(fixture.random, fixture.trees, rows);
      BOOST_TEST(fixture.differences({5}, plan) == 0U);
    }
  });
}

BOOST_AUTO_TEST_CASE(slots_and_committing_do_not_matter) {
  for_each_model([](Fixture& fixture) {
    for (const std::size_t committed : {0, 1, 20, 70}) {
      TestPlan plan = shuffled_plan(fixture.random, fixture.trees, 32);
      permute_slots(fixture.random, fixture.trees, plan);
      plan.committed = committed;
      BOOST_TEST(fixture.differences({5}, plan) == 0U, "committed " << committed);
    }
  });
}

BOOST_AUTO_TEST_CASE(the_split_of_the_layers_does_not_matter) {
  const std::vector<std::vector<std::uint32_t>> splits{
      {5}, {2, 3}, {4, 1}, {1, 3, 1}, {1, 1, 1, 1, 1}};
  for_each_kv_type(shapes()[0], [&](Fixture& fixture) {
    for (const auto& split : splits) {
      TestPlan plan = shuffled_plan(fixture.random, fixture.trees, 40);
      permute_slots(fixture.random, fixture.trees, plan);
      BOOST_TEST(fixture.differences(split, plan) == 0U, split.size() << " stages");
    }
  });
}

BOOST_AUTO_TEST_CASE(nor_with_hidden_states_that_are_rounded) {
  const Fixture exact(shapes()[0]);
  for (const HiddenType type : {HiddenType::f16, HiddenType::bf16}) {
    BOOST_TEST_CONTEXT(name_of(type) << " hidden states") {
      Fixture fixture(shapes()[0], {}, KvType::f16, type);
      for (const auto& split : std::vector<std::vector<std::uint32_t>>{{2, 3}, {1, 1, 1, 1, 1}}) {
        TestPlan plan = shuffled_plan(fixture.random, fixture.trees, 40);
        permute_slots(fixture.random, fixture.trees, plan);
        BOOST_TEST(fixture.differences(split, plan) == 0U, split.size() << " stages");
      }
      // They are rounded, and what a segment carries is exact.
      BOOST_TEST(differing_nodes(exact.expected, fixture.expected) > 100U);
      for (const std::vector<float>& hidden : fixture.expected[0]) {
        std::vector<float> again = hidden;
        kernels::round_to(type, again);
        BOOST_TEST((again == hidden));
      }
      for (std::size_t node = 0; node < exact.expected[0].size(); ++node) {
        const std::vector<float>& expected = exact.expected[0][node];
        BOOST_TEST(relative_error(fixture.expected[0][node], {expected.begin(), expected.end()}) <
                   (type == HiddenType::f16 ? 5e-3 : 3e-2));
      }
    }
  }
}

/// What the stages of a split, together, copy of `taps` of a text: by tap, tokens x hidden size.
std::vector<std::vector<float>> copied_taps(const Fixture& fixture,
                                            const std::vector<std::uint32_t>& sizes,
                                            const std::vector<std::uint32_t>& taps) {
  constexpr std::size_t rows = 11;  // in three parts
  const std::size_t size = rows * fixture.config.hidden_size;
  std::vector<std::vector<float>> copies(taps.size(), std::vector<float>(size));
  std::vector<Token> tokens;
  std::vector<Slot> slots;
  for (std::size_t i = 0; i < rows; ++i) {
    tokens.push_back(static_cast<Token>(7 * i + 3));
    slots.push_back(static_cast<Slot>(i));
  }
  std::vector<float> hidden(size);
  for (CpuStageModel& stage : fixture.stages(sizes, 1, 4)) {
    const auto cache = stage.make_cache(rows);
    std::vector<RowContext> contexts;
    for (std::size_t i = 0; i < rows; ++i)
      contexts.push_back(
          {cache.get(), static_cast<Position>(i), slots[i], {}, std::span(slots).first(i + 1)});
    std::vector<LayerTap> wanted;
    for (std::size_t i = 0; i < taps.size(); ++i)
      if (stage.has_tap(taps[i]))
        wanted.push_back({taps[i], copies[i]});
    if (stage.layers().first == 0)
      stage.forward_tokens(tokens, contexts, hidden, wanted);
    else
      stage.forward(hidden, contexts, hidden, wanted);
  }
  return copies;
}

BOOST_AUTO_TEST_CASE(taps_are_what_enters_a_layer_wherever_the_layers_are_split) {
  const Fixture fixture(shapes()[0]);
  const std::vector<std::uint32_t> taps{0, 1, 3, 5};
  const auto expected = copied_taps(fixture, {5}, taps);
  for (const std::vector<std::uint32_t>& sizes :
       {std::vector<std::uint32_t>{1, 4}, {3, 2}, {1, 2, 2}, {1, 1, 1, 1, 1}})
    BOOST_TEST((copied_taps(fixture, sizes, taps) == expected));
  // Tap j is what layers 0 to j - 1 give by themselves.
  for (std::size_t i = 1; i < taps.size(); ++i) {
    CpuStageModel stage(*fixture.file, fixture.config, {{0, taps[i]}});
    const auto cache = stage.make_cache(1);
    const std::vector<Slot> slot{0};
    const RowContext first{cache.get(), 0, 0, {}, slot};
    const std::vector<Token> token{3};
    std::vector<float> hidden(fixture.config.hidden_size);
    stage.forward_tokens(token, {&first, 1}, hidden);
    BOOST_TEST((std::ranges::equal(hidden, std::span(expected[i]).first(hidden.size()))));
  }
}

BOOST_AUTO_TEST_CASE(threads_do_not_matter) {
  for_each_kv_type(
      shapes()[0],
      [](Fixture& fixture) {
        for (const unsigned threads : {2U, 3U})
          BOOST_TEST(fixture.differences({2, 3}, shuffled_plan(fixture.random, fixture.trees, 64),
                                         threads) == 0U,
                     threads << " threads");
      });
}

BOOST_AUTO_TEST_CASE(half_the_memory_costs_bits_but_few) {
  const LlamaShape shape = shapes()[0];
  const Fixture exact(shape);
  const Fixture rounded(shape, {}, KvType::f16);
  BOOST_TEST(differing_nodes(exact.expected, rounded.expected) > 100U);
  for (std::size_t node = 0; node < exact.expected[0].size(); ++node) {
    const std::vector<float>& expected = exact.expected[0][node];
    BOOST_TEST(relative_error(rounded.expected[0][node], {expected.begin(), expected.end()}) <
               2e-3);
  }
}

BOOST_AUTO_TEST_CASE(logits_do_not_depend_on_other_rows) {
  const Fixture fixture(shapes()[0]);
  LmHead head(*fixture.file, fixture.config, 1, 16);
  const std::size_t size = fixture.config.hidden_size;
  const std::size_t vocab = fixture.config.vocab_size;
  const auto& rows = fixture.expected[0];
  std::vector<float> alone;
  std::vector<float> all;
  for (const std::vector<float>& row : rows) {
    std::vector<float> features(size);
    std::vector<float> logits(vocab);
    head.features(row, 1, features);
    head.logits(features, 1, logits);
    alone.insert(alone.end(), logits.begin(), logits.end());
    all.insert(all.end(), row.begin(), row.end());
  }
  for (const std::size_t count : {2, 15, 16, 17, 70, 130}) {
    std::vector<float> features(count * size);
    std::vector<float> logits(count * vocab);
    head.features(std::span(all).first(count * size), count, features);
    head.logits(features, count, logits);
    const auto end = alone.begin() + static_cast<std::ptrdiff_t>(count * vocab);
    BOOST_TEST(same_bits(logits, std::vector<float>(alone.begin(), end)), count << " rows");
  }
}

BOOST_AUTO_TEST_CASE(models_of_every_type_give_the_same_bits) {
  const LlamaShape shape = {
      .hidden_size = 96, .layers = 5, .heads = 6, .kv_heads = 2, .ffn_size = 160};
  for (const TensorType type :
       {TensorType::f16, TensorType::bf16, TensorType::q8_0, TensorType::q4_0, TensorType::q4_1,
        TensorType::q5_0, TensorType::q5_1}) {
    Fixture fixture(shape, {type, type, type});
    for (const std::size_t rows : {2, 3, 4, 5, 7, 9, 16, 33, 64}) {
      BOOST_TEST(fixture.differences({5}, plain_plan(fixture.trees, rows)) == 0U,
                 type_name(type) << ", " << rows << " rows in a segment");
    }
    TestPlan plan = shuffled_plan(fixture.random, fixture.trees, 64);
    permute_slots(fixture.random, fixture.trees, plan);
    plan.committed = 20;
    BOOST_TEST(fixture.differences({2, 3}, plan) == 0U, type_name(type));
    BOOST_TEST(fixture.differences({1, 1, 3}, plan, 2, 40) == 0U, type_name(type));
  }
}

struct LinearShape {
  std::size_t inputs;
  std::size_t outputs;
};

/// How many numbers of rows from 1 to `most` give some row other bits than when it is alone.
std::size_t row_counts_that_differ(const LinearShape& shape, unsigned threads, std::size_t most,
                                   LinearForm form) {
  std::mt19937 random(17);
  std::normal_distribution<float> normal;
  const auto fill = [&](std::size_t count) {
    std::vector<float> values(count);
    std::generate(values.begin(), values.end(), [&] { return normal(random); });
    return values;
  };
  const std::vector<float> weights = fill(shape.inputs * shape.outputs);
  const std::vector<float> in = fill(most * shape.inputs);
  TensorInfo tensor;
  tensor.shape = {shape.inputs, shape.outputs};
  tensor.data = std::as_bytes(std::span(weights));
  const TensorInfo* parts[] = {&tensor};
  const LinearContext one_thread(1, form);
  const Linear alone(one_thread, parts);
  std::vector<float> expected(most * shape.outputs);
  for (std::size_t r = 0; r < most; ++r) {
    alone.apply(std::span(in).subspan(r * shape.inputs), 1,
                std::span(expected).subspan(r * shape.outputs));
  }
  const LinearContext context(threads, form);
  const Linear linear(context, parts);
  std::size_t differing = 0;
  for (std::size_t rows = 1; rows <= most; ++rows) {
    std::vector<float> out(rows * shape.outputs);
    linear.apply(in, rows, out);
    const auto end = expected.begin() + static_cast<std::ptrdiff_t>(out.size());
    differing += same_bits(out, std::vector<float>(expected.begin(), end)) ? 0 : 1;
  }
  BOOST_TEST(context.unexpected_kernels().empty(),
             "oneDNN multiplies though its kernel is not known to be batch-invariant");
  return differing;
}

BOOST_AUTO_TEST_CASE(linears_give_the_same_bits_for_every_number_of_rows) {
  BOOST_TEST_MESSAGE(numerics_id());
  const LinearShape small[] = {{1, 1}, {8, 24}, {17, 33}, {64, 128}, {192, 320}, {688, 256}};
  for (const LinearShape& shape : small) {
    const std::string what = std::to_string(shape.inputs) + " to " + std::to_string(shape.outputs);
    BOOST_TEST(row_counts_that_differ(shape, 1, 128, LinearForm::automatic) == 0U, what);
    BOOST_TEST(row_counts_that_differ(shape, 1, 128, LinearForm::packed) == 0U, what);
  }
  BOOST_TEST(row_counts_that_differ({192, 320}, 2, 128, LinearForm::automatic) == 0U);
  const LinearShape large[] = {{2048, 512}, {5632, 320}};
  for (const LinearShape& shape : large)
    BOOST_TEST(row_counts_that_differ(shape, 1, 40, LinearForm::automatic) == 0U);
  BOOST_TEST(row_counts_that_differ({5632, 320}, 2, 20, LinearForm::automatic) == 0U);
}

}  // namespace
