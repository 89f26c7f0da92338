/// Drafts that read the target's hidden states of several layers, which the stages send.
#include <limits>
#include <set>

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>

#include "actors/policy/modes/modes.hpp"
#include "actors/type_ids.hpp"
#include "models/config/config.hpp"
#include "models/drafts/eagle3_head.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "tests/scenario/two_stages.hpp"
#include "tests/support/eagle3_files.hpp"
#include "tests/support/temp_folder.hpp"

namespace flowspec::test {
namespace {

const std::vector<std::uint32_t> taps{1, 3, 5};

/// A head with random weights for the story's model.
struct Head {
  Head() {
    const Story& story = tiny_story(false);
    Eagle3Shape shape;
    shape.hidden_size = shape.target_hidden_size = story.hidden_size;
    shape.vocab_size = static_cast<std::uint32_t>(story.vocab_size);
    shape.taps = taps;
    Eagle3Files(Eagle3Dialect::specforge, shape, 3).write(folder.path());
  }

  std::unique_ptr<Eagle3Head> load() const {
    auto file = GgufFile::open(tiny_story(false).model);
    auto config = read_config(file);
    return std::make_unique<Eagle3Head>(folder.path(), file, config, LmHead(file, config, 1, 64));
  }

  TempFolder folder;
};

/// Passes everything on to a head, and keeps what it reads of the target.
class Listening : public DraftModel {
 public:
  using Heard = std::set<std::vector<float>>;

  Listening(std::unique_ptr<DraftModel> model, Heard& heard)
      : model_(std::move(model)), heard_(heard) {}

  std::uint32_t feature_size() const override { return model_->feature_size(); }
  std::span<const std::uint32_t> taps() const override { return model_->taps(); }
  std::uint32_t tap_size() const override { return model_->tap_size(); }
  void read_taps(std::span<const float> values, std::size_t rows,
                 std::span<float> features) override {
    auto size = values.size() / rows;
    for (std::size_t row = 0; row < rows; ++row) {
      auto part = values.subspan(row * size, size);
      heard_.emplace(part.begin(), part.end());
    }
    model_->read_taps(values, rows, features);
  }
  std::unique_ptr<KvCache> make_cache(std::uint32_t slots) const override {
    return model_->make_cache(slots);
  }
  std::size_t cache_bytes(std::uint32_t slots) const override { return model_->cache_bytes(slots); }
  std::uint32_t max_rows() const override { return model_->max_rows(); }
  void forward(std::span<const DraftRow> rows, std::span<const float> features_in,
               std::uint32_t top_k, std::span<Candidate> candidates,
               std::span<float> features_out) override {
    model_->forward(rows, features_in, top_k, candidates, features_out);
  }

 private:
  std::unique_ptr<DraftModel> model_;
  Heard& heard_;
};

/// The taps of every token of the text, as the model computes them without actors.
std::vector<std::vector<float>> taps_of_text(const Story& story, std::size_t count) {
  auto file = GgufFile::open(story.model);
  auto config = read_config(file);
  std::vector<std::vector<float>> result(count);
  std::vector<Slot> slots(count);
  for (std::size_t i = 0; i < count; ++i)
    slots[i] = static_cast<Slot>(i);
  for (std::uint32_t tap : taps) {
    CpuStageModel model(file, config, {{0, tap}, 1, 64});
    auto cache = model.make_cache(static_cast<std::uint32_t>(count));
    std::vector<RowContext> rows;
    for (std::size_t i = 0; i < count; ++i)
      rows.push_back({cache.get(),
                      static_cast<Position>(i),
                      slots[i],
                      {},
                      std::span<const Slot>(slots).first(i + 1)});
    std::vector<float> hidden(count * config.hidden_size);
    model.forward_tokens(std::span<const Token>(story.text).first(count), rows, hidden);
    for (std::size_t i = 0; i < count; ++i) {
      auto begin = hidden.begin() + static_cast<std::ptrdiff_t>(i * config.hidden_size);
      result[i].insert(result[i].end(), begin, begin + config.hidden_size);
    }
  }
  return result;
}

WorldOptions with_head(const Head& head, const std::string& mode, std::uint32_t stages) {
  WorldOptions options = two_stages(always_right);
  options.stages = stages;
  options.policy = *mode_policy(mode, stages);
  options.policy.adaptive = false;
  options.policy.segment_rows = 8;
  options.policy.top_k = 4;
  options.draft = [&head] { return head.load(); };
  options.taps = taps;
  return options;
}

BOOST_AUTO_TEST_CASE(an_eagle_3_head_leaves_the_text_as_it_is) {
  const Head head;
  for (const char* mode : {"flowspec", "chunk-pp", "pipedec"}) {
    for (std::uint32_t stages : {1U, 2U, 5U}) {
      BOOST_TEST_CONTEXT(mode << ", stages: " << stages) {
        PipelineWorld world{with_head(head, mode, stages)};
        auto session = submit(world);
        world.run();
        check_story(world, session);
        BOOST_TEST(world.statistics().back().draft_forwards > 0U);
        BOOST_TEST(world.statistics().back().guesses > 0U);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(stages_send_their_taps_straight_to_the_draft) {
  const Head head;
  for (std::uint32_t stages : {1U, 2U, 3U, 5U}) {
    BOOST_TEST_CONTEXT("stages: " << stages) {
      Listening::Heard heard;
      WorldOptions options = with_head(head, "flowspec", stages);
      options.draft = [&] { return std::make_unique<Listening>(head.load(), heard); };
      options.keeps_log = true;
      PipelineWorld world{options};
      auto session = submit(world);
      world.run();
      check_story(world, session);
      const Story& story = tiny_story(false);
      // The last token is not computed, and of the one before it nothing has to come in time.
      auto expected = taps_of_text(story, story.prompt.size() + tokens - 2);
      for (std::size_t i = 0; i < expected.size(); ++i)
        BOOST_TEST(heard.contains(expected[i]), "position " << i);
      for (const Delivery& delivery : world.log())
        BOOST_TEST((delivery.channel != "verifier > draft"));
    }
  }
}

/// What a stage of another machine may say, as if it came from the last of two stages.
void say(PipelineWorld& world, SessionId session, std::vector<TreeNodeId> nodes, std::uint32_t tap,
         std::uint32_t columns, float value) {
  const std::vector<float> values(nodes.size() * columns, value);
  Features features;
  features.session = session;
  features.tap = tap;
  features.hidden = {static_cast<std::uint32_t>(nodes.size()), columns, values, nullptr};
  features.nodes = std::move(nodes);
  caf::anon_send(world.channel("stage 1 > draft"), FeaturesMessage{features});
}

BOOST_AUTO_TEST_CASE(taps_that_never_come_leave_plain_decoding) {
  const Head head;
  PipelineWorld world{with_head(head, "flowspec", 2)};
  auto session = submit(world);
  world.run({"stage 1 > draft"});
  check_story(world, session);
  BOOST_TEST(world.statistics().back().guesses == 0U);
}

BOOST_AUTO_TEST_CASE(wrong_doubled_and_foreign_taps_leave_the_text_as_it_is) {
  const Head head;
  const auto size = tiny_story(false).hidden_size;
  for (float value : {0.0F, 1e30F, std::numeric_limits<float>::quiet_NaN()}) {
    PipelineWorld world{with_head(head, "flowspec", 2)};
    auto session = submit(world);
    world.settle();
    world.deliver("pruner > draft");
    const std::vector<TreeNodeId> nodes{1, 2, 2, 3, 4, 5, TreeNodeId{1} << 40, first_fresh_node};
    for (std::uint32_t tap : {1U, 1U, 2U, 0U, 0U}) {
      say(world, session, nodes, tap, size, value);
      say(world, 77, nodes, tap, size, value);  // no such session
    }
    for (int i = 0; i < 10; ++i)
      world.deliver("stage 1 > draft");
    world.run();
    check_story(world, session);
    if (value == 0)
      BOOST_TEST(world.statistics().back().guesses > 0U);
  }
}

BOOST_AUTO_TEST_CASE(taps_that_do_not_fit_the_head_end_the_session_they_belong_to) {
  const Head head;
  const auto size = tiny_story(false).hidden_size;
  struct Case {
    std::uint32_t tap;
    std::uint32_t columns;
    std::string error;
  };
  for (const Case& c : {Case{3, size, "features of tap 3, the draft reads 3"},
                        Case{1, size - 1, "features of 1 x 15, expected 1 x 16"}}) {
    PipelineWorld world{with_head(head, "flowspec", 2)};
    auto first = submit(world);
    auto second = submit(world);
    world.settle();
    world.deliver("pruner > draft");
    say(world, first, {1}, c.tap, c.columns, 0);
    world.run();
    BOOST_REQUIRE(world.report(first).has_value());
    BOOST_TEST((world.report(first)->finish == Finish::failed));
    BOOST_TEST(world.report(first)->error.find(c.error) != std::string::npos,
               world.report(first)->error);
    check_story(world, second);
  }
}

}  // namespace
}  // namespace flowspec::test
