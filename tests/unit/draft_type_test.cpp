// Drafts whose weights are quantised when they are loaded.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/drafts/eagle_head.hpp"
#include "models/drafts/small_lm.hpp"
#include "models/formats/gguf.hpp"
#include "models/formats/safetensors.hpp"
#include "tests/support/eagle_run.hpp"
#include "tests/support/eagle_target.hpp"
#include "tests/support/quantize.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

constexpr std::uint32_t top_k = 10;

/// Rows of whole blocks, whose panels need no padding.
constexpr EagleShape whole_blocks{.hidden_size = 128, .heads = 8, .kv_heads = 4, .ffn_size = 256};

struct Trees {
  explicit Trees(const EagleShape& shape) {
    std::mt19937 random(5);
    trees = {random_eagle_tree(random, shape.vocab_size, shape.hidden_size, 12, 40)};
    plan = eagle_plan(nullptr, trees, 16);
  }

  std::vector<EagleResult> run(const std::filesystem::path& folder, const EagleTarget& target,
                               LoadType type) const {
    EagleHead head(folder, LmHead(target.file(), target.config(), 1, 16, {}, type), 1, 64, type);
    return run_eagle(head, trees, plan, top_k).front();
  }

  std::vector<EagleTree> trees;
  TestPlan plan;
};

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  const auto dot = [](const std::vector<float>& x, const std::vector<float>& y) {
    return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
  };
  return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

/// How many of the tokens both propose.
std::size_t common_tokens(const std::vector<Candidate>& a, const std::vector<Candidate>& b) {
  return static_cast<std::size_t>(std::ranges::count_if(
      a,
      [&](const Candidate& candidate) {
        return std::ranges::find(b, candidate.token, &Candidate::token) != b.end();
      }));
}

struct Likeness {
  double least_cosine = 1;
  /// Mean share of tokens that both propose.
  double common = 0;
};

/// Of the rows whose parent's feature is given. The others get those that the head itself predicts,
/// so that with random weights they drift apart.
Likeness likeness(const Trees& trees, const std::vector<EagleResult>& a,
                  const std::vector<EagleResult>& b) {
  Likeness result;
  const std::size_t given = trees.trees[0].known.size();
  // Node 0 has no row.
  for (std::size_t node = 1; node < given; ++node) {
    result.least_cosine = std::min(result.least_cosine, cosine(a[node].feature, b[node].feature));
    result.common += static_cast<double>(common_tokens(a[node].candidates, b[node].candidates));
  }
  result.common /= static_cast<double>((given - 1) * top_k);
  return result;
}

/// Its candidates for the tokens 0 to 9 of a text.
std::vector<Candidate> candidates(const std::filesystem::path& path, LoadType type) {
  const GgufFile file = GgufFile::open(path);
  SmallLm draft(file, read_config(file), 1, 64, {}, KvType::f32, 0, type);
  const auto cache = draft.make_cache(10);
  std::vector<Slot> slots(10);
  std::iota(slots.begin(), slots.end(), Slot{0});
  std::vector<DraftRow> rows;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const std::span<const Slot> path_slots(slots.data(), i + 1);
    rows.push_back(
        {static_cast<Token>(20 + i),
         {cache.get(), static_cast<Position>(i), slots[i], path_slots.first(i), path_slots.last(1)},
         {},
         {}});
  }
  std::vector<Candidate> found(rows.size() * top_k);
  draft.forward(rows, {}, top_k, found, {});
  return found;
}

TensorType stored(LoadType type) {
  return type == LoadType::q8_0 ? TensorType::q8_0 : TensorType::q4_0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(draft_type)

BOOST_AUTO_TEST_CASE(a_model_has_the_bits_of_one_that_its_file_holds_quantised) {
  const TempFolder folder;
  write_llama_gguf(folder / "floats.gguf", {}, {}, 1);
  const auto as_is = candidates(folder / "floats.gguf", LoadType::as_is);
  for (const LoadType type : {LoadType::q8_0, LoadType::q4_0}) {
    const std::string name = name_of(type);
    write_llama_gguf(folder / name, {}, {TensorType::f32, stored(type), stored(type)}, 1);
    const auto expected = candidates(folder / name, LoadType::as_is);
    BOOST_TEST((candidates(folder / "floats.gguf", type) == expected), name);
    BOOST_TEST((as_is != expected), name);
    // What has few bits already keeps them.
    BOOST_TEST((candidates(folder / name, LoadType::q8_0) == expected), name);
  }
}

BOOST_AUTO_TEST_CASE(a_head_guesses_nearly_the_same) {
  const Trees trees(whole_blocks);
  const EagleTarget target(whole_blocks);
  const TempFolder folder;
  EagleFiles(whole_blocks, 3).write(folder.path(), TensorType::f16);
  const auto as_is = trees.run(folder.path(), target, LoadType::as_is);
  const Likeness q8 = likeness(trees, as_is, trees.run(folder.path(), target, LoadType::q8_0));
  const Likeness q4 = likeness(trees, as_is, trees.run(folder.path(), target, LoadType::q4_0));
  BOOST_TEST_MESSAGE("cosine " << q8.least_cosine << ", " << q4.least_cosine << "; common "
                               << q8.common << ", " << q4.common);
  BOOST_TEST(q8.least_cosine > 0.99);
  BOOST_TEST(q8.least_cosine < 1);
  BOOST_TEST(q8.common > 0.9);
  BOOST_TEST(q4.least_cosine > 0.75);
  BOOST_TEST(q4.least_cosine < q8.least_cosine);
  BOOST_TEST(q4.common > 0.5);
}

BOOST_AUTO_TEST_CASE(a_head_has_the_bits_of_one_whose_weights_lie_on_the_steps_already) {
  const Trees trees(whole_blocks);
  const EagleTarget target(whole_blocks);
  const EagleFiles files(whole_blocks, 3);
  for (const LoadType type : {LoadType::q8_0, LoadType::q4_0}) {
    EagleFiles on_steps = files;
    for (auto& [name, tensor] : on_steps.tensors) {
      if (tensor.shape.size() != 2 || name == "embed_tokens.weight")
        continue;
      const std::string blocks = convert(stored(type), tensor.values);
      to_float(stored(type), std::as_bytes(std::span(blocks)), tensor.values);
    }
    const TempFolder folder;
    std::filesystem::create_directory(folder / "a");
    std::filesystem::create_directory(folder / "b");
    files.write(folder / "a");
    on_steps.write(folder / "b");
    BOOST_TEST((trees.run(folder / "a", target, type) == trees.run(folder / "b", target, type)));
    BOOST_TEST((trees.run(folder / "a", target, type) !=
                trees.run(folder / "a", target, LoadType::as_is)));
  }
}

BOOST_AUTO_TEST_CASE(rows_that_are_no_whole_blocks_stay_as_they_are) {
  const EagleShape shape{.hidden_size = 60, .heads = 5, .kv_heads = 1, .ffn_size = 101};
  const Trees trees(shape);
  const EagleTarget target(shape);
  const TempFolder folder;
  EagleFiles(shape, 3).write(folder.path(), TensorType::f16);
  BOOST_TEST((trees.run(folder.path(), target, LoadType::q4_0) ==
              trees.run(folder.path(), target, LoadType::as_is)));
  BOOST_TEST(EagleHead::needed_bytes(folder.path(), 16, LoadType::q4_0) ==
             EagleHead::needed_bytes(folder.path(), 16));
}

BOOST_AUTO_TEST_CASE(a_head_needs_memory_for_the_bytes_of_its_type) {
  const TempFolder folder;
  const EagleFiles files(whole_blocks, 3);
  files.write(folder.path(), TensorType::f16);
  std::uint64_t weights = 0;
  for (const auto& [name, tensor] : files.tensors)
    if (tensor.shape.size() == 2 && name != "embed_tokens.weight")
      weights += tensor.values.size();
  const auto needed = [&](LoadType type) {
    return EagleHead::needed_bytes(folder.path(), 16, type);
  };
  BOOST_TEST(needed(LoadType::as_is) - needed(LoadType::q8_0) == weights * 2 - weights / 32 * 34);
  BOOST_TEST(needed(LoadType::as_is) - needed(LoadType::q4_0) == weights * 2 - weights / 32 * 18);
  const auto stored = SafetensorsFile::open(folder / "model.safetensors").file_size();
  BOOST_TEST(EagleHead::needed_bytes(folder.path(), 0) > stored * 98 / 100);
  BOOST_TEST(EagleHead::needed_bytes(folder.path(), 0) < stored * 102 / 100);
}

BOOST_AUTO_TEST_CASE(a_model_needs_memory_for_the_bytes_of_its_type) {
  const TempFolder folder;
  LlamaShape shape;
  shape.hidden_size = 128;
  shape.ffn_size = 256;
  const auto needed = [&](TensorType in_file, LoadType type) {
    write_llama_gguf(folder / "model.gguf", shape, {TensorType::f32, in_file, in_file}, 1);
    const GgufFile file = GgufFile::open(folder / "model.gguf");
    return SmallLm::needed_bytes(file, read_config(file), 16, type);
  };
  for (const LoadType type : {LoadType::q8_0, LoadType::q4_0}) {
    BOOST_TEST(needed(TensorType::f16, type) == needed(stored(type), LoadType::as_is));
    BOOST_TEST(needed(TensorType::f16, type) < needed(TensorType::f16, LoadType::as_is));
  }
}

BOOST_AUTO_TEST_CASE(an_lm_head_tells_whether_a_type_would_change_it) {
  const TempFolder folder;
  const auto is_changed = [&](TensorType in_file, LoadType type) {
    write_llama_gguf(folder / "model.gguf", {}, {TensorType::f32, TensorType::f32, in_file}, 1);
    const GgufFile file = GgufFile::open(folder / "model.gguf");
    return LmHead::is_changed_by(type, file, read_config(file));
  };
  BOOST_TEST(!is_changed(TensorType::f16, LoadType::as_is));
  BOOST_TEST(is_changed(TensorType::f16, LoadType::q8_0));
  BOOST_TEST(!is_changed(TensorType::q8_0, LoadType::q8_0));
  BOOST_TEST(is_changed(TensorType::q8_0, LoadType::q4_0));
}

BOOST_AUTO_TEST_SUITE_END()
