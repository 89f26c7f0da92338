/// The back end of the tests notices rows that read what is not their own past.

#include "tests/support/path_stage.hpp"

#include <stdexcept>

#include <boost/test/unit_test.hpp>

#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// Two layers, and four slots.
struct Stage {
  TempFolder folder;
  std::unique_ptr<StageModel> model;
  std::unique_ptr<KvCache> cache;

  Stage() {
    write_llama_gguf(folder / "model.gguf", {}, {}, 1);
    const GgufFile file = GgufFile::open(folder / "model.gguf");
    model = std::make_unique<PathStage>(
        std::make_unique<CpuStageModel>(file, read_config(file), StageOptions{{0, 2}}));
    cache = model->make_cache(4);
  }

  /// Computes the token whose context has these slots, the last one its own.
  std::vector<float> add(Token token, const std::vector<Slot>& slots) {
    const std::span<const Slot> all(slots);
    const RowContext row{cache.get(), static_cast<Position>(slots.size() - 1), slots.back(),
                         all.first(slots.size() - 1), all.last(1)};
    std::vector<float> out(model->hidden_size());
    model->forward_tokens({&token, 1}, {&row, 1}, out);
    return out;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(path_stage)

BOOST_AUTO_TEST_CASE(a_tree_computes_as_it_does_without) {
  Stage stage;
  stage.add(1, {3});
  stage.add(2, {3, 0});
  const auto sibling = stage.add(5, {3, 1});
  stage.add(4, {3, 1, 2});
  Stage other;
  other.add(1, {0});
  BOOST_TEST(other.add(5, {0, 1}) == sibling, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_slot_that_was_never_written_is_not_read) {
  Stage stage;
  stage.add(1, {3});
  BOOST_CHECK_THROW(stage.add(2, {2, 0}), std::logic_error);
}

BOOST_AUTO_TEST_CASE(a_slot_that_another_branch_has_taken_is_not_read) {
  Stage stage;
  stage.add(1, {0});
  stage.add(2, {0, 1});
  stage.add(3, {0, 1, 2});
  stage.add(4, {0, 1});
  BOOST_CHECK_THROW(stage.add(5, {0, 1, 2, 3}), std::logic_error);
  // Nor at another position than its own.
  BOOST_CHECK_THROW(stage.add(5, {1, 3}), std::logic_error);
}

BOOST_AUTO_TEST_CASE(what_was_forgotten_is_not_read) {
  Stage stage;
  stage.add(1, {0});
  stage.cache->forget();
  BOOST_CHECK_THROW(stage.add(2, {0, 1}), std::logic_error);
}

BOOST_AUTO_TEST_CASE(a_cache_of_another_back_end_is_refused) {
  Stage stage;
  const GgufFile file = GgufFile::open(stage.folder / "model.gguf");
  stage.cache = CpuStageModel(file, read_config(file), {{0, 2}}).make_cache(4);
  BOOST_CHECK_THROW(stage.add(1, {0}), std::logic_error);
}

BOOST_AUTO_TEST_SUITE_END()
