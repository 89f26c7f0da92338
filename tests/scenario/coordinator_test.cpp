/// The coordinator: what it says when a part of its pipeline fails.

#define BOOST_TEST_MODULE coordinator
#include "actors/coordinator.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>

#include "actors/end_actor.hpp"
#include "actors/text_error.hpp"
#include "models/layers/lm_head.hpp"
#include "models/layers/stage_model.hpp"

using namespace flowspec;
using std::chrono::seconds;

namespace {

struct World {
  caf::actor_system_config config = [] {
    caf::actor_system_config c;
    c.add_message_types<caf::id_block::flowspec_messages>();
    c.add_message_types<caf::id_block::flowspec_actors>();
    return c;
  }();
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  CoordinatorActor coordinator = spawn_coordinator(system);

  ~World() { end_actor(coordinator); }

  /// A pipeline of one stage that has no weights.
  Pipeline bind_pipeline() {
    PipelineConfig pipeline_config;
    pipeline_config.load_draft = [] { return caf::expected<std::unique_ptr<DraftModel>>(nullptr); };
    pipeline_config.load_head = []() -> caf::expected<std::unique_ptr<LmHead>> {
      return text_error("there is no head");
    };
    auto pipeline = make_pipeline(
        system, pipeline_config, [this](std::uint32_t index, const StagePeers& peers) {
          StageConfig stage;
          stage.stage = index;
          stage.load = []() -> caf::expected<std::unique_ptr<StageModel>> {
            return text_error("there is no head");
          };
          stage.next = peers.next;
          stage.pruner = peers.pruner;
          stage.draft = peers.draft;
          auto handle = spawn_stage(system, stage, SpawnMode::detached);
          return StageHandle{handle, handle};
        });
    caf::anon_send(coordinator, bind_a_v, pipeline);
    return pipeline;
  }

  template <class... Args>
  std::string error_of(Args... args) {
    std::string text;
    caf::actor target = caf::actor_cast<caf::actor>(coordinator);
    self->request(target, seconds(10), args...)
        .receive([](const caf::message&) {},
                 [&](const caf::error& error) { text = error_text(error); });
    return text;
  }

  SessionRequest request() {
    SessionRequest request;
    request.config.open.session = 1;
    request.config.open.root = 1;
    request.config.open.prompt = {1, 2, 3};
    request.config.open.position_limit = 10;
    request.config.open.slots = 100;
    request.config.client = caf::actor_cast<caf::actor>(self);
    return request;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(it_wants_a_pipeline_first, World) {
  for (const auto& error : {error_of(load_a_v), error_of(submit_a_v, request())})
    BOOST_CHECK_MESSAGE(error.find("no pipeline") != std::string::npos, error);
}

BOOST_FIXTURE_TEST_CASE(a_part_that_does_not_load_is_told, World) {
  bind_pipeline();
  BOOST_CHECK(error_of(load_a_v) == "there is no head");
}

BOOST_FIXTURE_TEST_CASE(a_session_before_the_weights_are_there_fails_at_once, World) {
  bind_pipeline();
  self->send(caf::actor_cast<caf::actor>(coordinator), submit_a_v, request());
  Report report;
  bool done = false;
  while (!done)
    self->receive(
        [&](const ReportMessage& message) {
          report = message.read().value();
          done = true;
        },
        [](const SessionActor&) {}, caf::after(seconds(10)) >> [&] { done = true; });
  BOOST_CHECK(report.finish == Finish::failed);
  BOOST_CHECK_MESSAGE(report.error.find("loaded") != std::string::npos, report.error);
}

BOOST_FIXTURE_TEST_CASE(a_part_that_ends_ends_every_session, World) {
  auto pipeline = bind_pipeline();
  end_actor(pipeline.pruner);
  std::string error;
  for (int i = 0; i < 200 && error.find("tree pruner") == std::string::npos; ++i) {
    error = error_of(load_a_v);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  BOOST_CHECK_MESSAGE(error.find("the tree pruner has ended") != std::string::npos, error);
}
