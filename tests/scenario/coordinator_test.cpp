/// The coordinator: what it says when a part of its pipeline fails.

#include "actors/cluster/coordinator.hpp"

#include <cstdio>
#include <set>
#include <stdexcept>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <unistd.h>

#include "actors/cluster/dialer.hpp"
#include "actors/cluster/wire/transport_module.hpp"
#include "actors/emulation/link.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/support/text_error.hpp"
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
    c.load<caf::io::middleman>();
    TransportOptions options;  // for the dialer
    options.tls = std::make_shared<TlsContext>(Secret{});
    load_transport(c, options);
    return c;
  }();
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  CoordinatorActor coordinator = spawn_coordinator(system);

  ~World() { end_actor(coordinator); }

  /// A pipeline of one stage that has no weights.
  Pipeline bind_pipeline(const DraftLoader& load_draft = [] {
    return caf::expected<std::unique_ptr<DraftModel>>(nullptr);
  }) {
    PipelineConfig pipeline_config;
    pipeline_config.load_draft = load_draft;
    pipeline_config.load_head = []() -> caf::expected<std::unique_ptr<LmHead>> {
      return text_error(ErrorCode::internal, "there is no head");
    };
    auto pipeline = make_pipeline(
        system, pipeline_config, [this](std::uint32_t index, const StagePeers& peers) {
          StageConfig stage;
          stage.stage = index;
          stage.load = []() -> caf::expected<std::unique_ptr<StageModel>> {
            return text_error(ErrorCode::internal, "there is no head");
          };
          stage.peers = peers;
          auto handle = spawn_stage(system, stage, SpawnMode::detached);
          return StageHandle{handle, handle};
        });
    caf::anon_send(coordinator, bind_a_v, pipeline, Placement{});
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

  Request request() {
    Request request;
    request.prompt = {1, 2, 3};
    request.max_tokens = 8;
    request.client = caf::actor_cast<caf::actor>(self);
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
        [](SessionId) {}, caf::after(seconds(10)) >> [&] { done = true; });
  BOOST_CHECK(report.finish == Finish::failed);
  BOOST_CHECK_MESSAGE(report.error.find("loaded") != std::string::npos, report.error);
}

BOOST_FIXTURE_TEST_CASE(every_session_has_a_number_of_its_own, World) {
  auto pipeline = bind_pipeline();
  // Nobody answers the sessions: they stay.
  pipeline.pruner = caf::actor_cast<TreePrunerActor>(caf::actor_cast<caf::actor>(self));
  caf::anon_send(coordinator, bind_a_v, pipeline, Placement{});
  std::set<SessionId> numbers;
  for (int i = 0; i < 3; ++i)
    self->request(coordinator, seconds(10), submit_a_v, request())
        .receive([&](SessionId session) { numbers.insert(session); }, [](const caf::error&) {});
  BOOST_TEST(numbers.size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(what_comes_before_the_draft_is_loaded_is_ignored, World) {
  auto draft = spawn_draft(
      system,
      {DraftPolicy{}, [] { return caf::expected<std::unique_ptr<DraftModel>>(nullptr); }, {}},
      SpawnMode::pooled);
  self->send(draft, ReadyMessage{{7, 0}});
  self->send(draft, step_a_v);
  self->send(draft, done_a_v, std::uint32_t{3});
  bool loaded = false;
  self->request(draft, seconds(10), load_a_v)
      .receive([&](const StageStatsMessage&) { loaded = true; }, [](const caf::error&) {});
  BOOST_CHECK(loaded);
  end_actor(draft);
}

namespace {

/// What `body` writes to standard output; the log is there too, in this program.
template <class Body>
std::string printed_by(const Body& body) {
  std::fflush(stdout);
  auto* file = std::tmpfile();
  int before = ::dup(STDOUT_FILENO);
  ::dup2(::fileno(file), STDOUT_FILENO);
  body();
  std::fflush(stdout);
  ::dup2(before, STDOUT_FILENO);
  ::close(before);
  std::string printed(10000, '\0');
  std::rewind(file);
  printed.resize(std::fread(printed.data(), 1, printed.size(), file));
  std::fclose(file);
  return printed;
}

}  // namespace

BOOST_AUTO_TEST_CASE(
    an_exception_ends_its_actor_with_the_text_and_nothing_of_caf_on_standard_output) {
  std::string error;
  auto printed = printed_by([&] {
    World world;
    world.bind_pipeline([]() -> caf::expected<std::unique_ptr<DraftModel>> {
      throw std::runtime_error("the draft is made of cheese");
    });
    error = world.error_of(load_a_v);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  });
  BOOST_CHECK_MESSAGE(printed.find("***") == std::string::npos, printed);
  BOOST_CHECK_MESSAGE(error.find("cheese") != std::string::npos || error == "there is no head",
                      error);
}

BOOST_AUTO_TEST_CASE(a_message_that_an_actor_does_not_take_is_dropped_without_a_word) {
  auto printed = printed_by([] {
    World world;
    auto pipeline = world.bind_pipeline();
    auto dialer = spawn_dialer(world.system);
    auto target = caf::actor_cast<caf::actor>(pipeline.draft);
    auto link = spawn_emulated_link(world.system, {{}, "a", "b", target});
    for (const auto& actor :
         {caf::actor_cast<caf::actor>(world.coordinator), caf::actor_cast<caf::actor>(dialer), link,
          target, caf::actor_cast<caf::actor>(pipeline.pruner),
          caf::actor_cast<caf::actor>(pipeline.verifier)})
      caf::anon_send(actor, std::string("what is this?"));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    end_actor(link);
    end_actor(dialer);
  });
  BOOST_CHECK_MESSAGE(printed.find("***") == std::string::npos, printed);
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
