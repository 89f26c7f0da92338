/// A stage reserves the KV of a session before it takes it.

#include <map>
#include <string>

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>

#include "actors/pipeline/stage.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/support/memory_ledger.hpp"
#include "actors/type_ids.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/open_model.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;
using std::chrono::seconds;

namespace {

constexpr std::uint64_t mib = 1U << 20U;

/// A stage with weights, whose neighbours are this test.
struct LonelyStage {
  LonelyStage() {
    write_llama_gguf(folder / "m.gguf", {}, {}, 1);
    StageConfig how;
    how.vocab_size = 320;
    how.kv.memory = memory;
    how.load = [model = open_model(folder / "m.gguf")] {
      return std::make_unique<CpuStageModel>(*model.files, model.config, StageOptions{{0, 2}});
    };
    how.peers = {caf::actor_cast<PipelineActor>(self), caf::actor_cast<TreePrunerActor>(self),
                 caf::actor_cast<DraftActor>(self)};
    stage = spawn_stage(system, std::move(how), SpawnMode::detached);
    self->request(stage, seconds(40), load_a_v)
        .receive([](const StageStatsMessage&) {},
                 [](const caf::error&) { BOOST_FAIL("the stage does not load"); });
  }
  ~LonelyStage() { end_actor(stage); }

  /// The fault that comes of it; empty where the Open went on to the next hop.
  std::string open(SessionId session, std::uint32_t slots) {
    Open open;
    open.session = session;
    open.root = 1;
    open.prompt = {1, 2, 3};
    open.position_limit = 10;
    open.slots = slots;
    self->send(stage, OpenMessage{open});
    std::string error = "neither passed on nor refused";
    self->receive([&](const OpenMessage&) { error.clear(); },
                  [&](const FaultMessage& fault) { error = fault.read().value().error; },
                  caf::after(seconds(40)) >> [] {});
    return error;
  }

  /// The same of a Grow.
  std::string grow(SessionId session, std::uint32_t slots) {
    self->send(stage, GrowMessage{{session, 10, slots}});
    std::string error = "neither passed on nor refused";
    bool is_done = false;
    while (!is_done)
      self->receive(
          [&](const GrowMessage&) {
            error = error == "neither passed on nor refused" ? "" : error;
            is_done = true;
          },
          [&](const FaultMessage& fault) { error = fault.read().value().error; },
          caf::after(seconds(40)) >> [&] { is_done = true; });
    return error;
  }

  void close(SessionId session, bool keep) {
    self->send(stage, CloseMessage{{session, keep, {}}});
    self->receive([](const CloseMessage&) {},
                  caf::after(seconds(40)) >> [] { BOOST_FAIL("the Close is not passed on"); });
  }

  TempFolder folder;
  caf::actor_system_config config = [] {
    caf::actor_system_config c;
    c.add_message_types<caf::id_block::flowspec_messages>();
    c.add_message_types<caf::id_block::flowspec_actors>();
    return c;
  }();
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  MemoryLedger memory{{[] { return 100 * mib; }, [] { return 10 * mib; }}};
  PipelineActor stage;
};

/// Two layers, keys and values, two heads of 16 floats.
constexpr std::uint32_t slots_of_60_mib = 60 * mib / (2 * 2 * 2 * 16 * sizeof(float));

}  // namespace

BOOST_AUTO_TEST_CASE(sessions_that_fit_one_by_one_are_counted_together) {
  LonelyStage stage;
  BOOST_TEST(stage.open(1, slots_of_60_mib) == "");
  BOOST_TEST(stage.memory.promised() == 60 * mib);
  auto refusal = stage.open(2, slots_of_60_mib);
  BOOST_TEST(
      refusal ==
      "the session does not fit: 60 MiB of KV are needed for 122880 positions; 60 of 100 MiB are "
      "taken, and 122880 of 204800 slots (--kv-memory of a node)");
  stage.close(1, false);
  BOOST_TEST(stage.memory.promised() == 0U);
  BOOST_TEST(stage.open(4, slots_of_60_mib) == "");
}

BOOST_AUTO_TEST_CASE(what_a_session_may_grow_to_is_reserved_with_its_growth) {
  LonelyStage stage;
  BOOST_TEST(stage.open(1, slots_of_60_mib / 2) == "");
  BOOST_TEST(stage.memory.promised() == 30 * mib);
  BOOST_TEST(stage.grow(1, slots_of_60_mib) == "");
  BOOST_TEST(stage.memory.promised() == 60 * mib);
  BOOST_TEST(stage.grow(1, 2 * slots_of_60_mib).find("60 MiB of KV are needed") !=
             std::string::npos);
}
