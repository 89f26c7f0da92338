/// Peers that send a node what they should not.

#include <random>

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include "actors/cluster/node_agent.hpp"
#include "actors/cluster/wire/transport.hpp"
#include "actors/pipeline/pipeline.hpp"
#include "actors/pipeline/tree_pruner.hpp"
#include "actors/support/end_actor.hpp"
#include "models/formats/file_hash.hpp"
#include "models/numerics.hpp"
#include "models/open_model.hpp"
#include "runtime/cluster/ask.hpp"
#include "runtime/cluster/nodes.hpp"
#include "runtime/cluster/system_config.hpp"
#include "runtime/cluster/tls.hpp"
#include "tests/support/sockets.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec;
using namespace flowspec::test;
using std::chrono::seconds;

namespace {

std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes)
    byte = static_cast<char>(random());
  return bytes;
}

/// Twelve words that are no message.
template <class T>
Wire<T> garbage_message() {
  std::shared_ptr<std::uint64_t[]> words(new std::uint64_t[12]);
  for (std::uint64_t i = 0; i < 12; ++i)
    words[i] = i * 0x9e3779b97f4a7c15ULL;
  return Wire<T>(WireBuffer{words, 12});
}

bool serves(const NodeProcess& node) {
  auto result =
      flowspec_program({"generate", "-n", "5", "--model", (model_folder() / "target.gguf").string(),
                        "--node", node.address(), "hello"});
  BOOST_TEST_MESSAGE(result.error);
  return result.exit_code == 0;
}

/// A peer that speaks CAF and our types, but says what it likes.
struct Peer {
  SystemConfig config = [] {
    SystemConfig c;
    c.enable_network({});
    return c;
  }();
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  TreePrunerActor pruner = spawn_tree_pruner(system);
  DraftActor draft = spawn_draft(
      system,
      {DraftPolicy{}, [] { return caf::expected<std::unique_ptr<DraftModel>>(nullptr); }, pruner},
      SpawnMode::pooled);
  PipelineActor next = spawn_verifier(system, {1, 64, {}, pruner, draft}, SpawnMode::pooled);
  RemoteNode node;

  explicit Peer(const NodeProcess& process)
      : node(join_nodes(system, {parse_address(process.address())},
                        caf::actor_cast<caf::actor>(self))
                 .front()) {}
  ~Peer() {
    end_actor(node.agent);
    end_actor(draft);
    end_actor(next);
    end_actor(pruner);
  }

  StageSpec good_spec() const {
    StageSpec spec;
    spec.end_layer = 2;
    spec.model_file = "target.gguf";
    spec.model_hash = hash_file(model_folder() / "target.gguf");
    spec.numerics = numerics_id();
    return spec;
  }

  std::optional<StageHandle> spawn(const StageSpecMessage& spec, const PipelineActor& to,
                                   std::string& error) {
    std::optional<StageHandle> handle;
    self->request(node.agent, seconds(10), spawn_st_a_v, spec, to, pruner, draft)
        .receive(
            [&](const PipelineActor& stage, const ControlActor& control) {
              handle = StageHandle{stage, control};
            },
            [&](const caf::error& e) { error = error_text(e); });
    return handle;
  }

  void check_refused(const StageSpecMessage& spec, const std::string& text) {
    std::string error;
    BOOST_CHECK(!spawn(spec, next, error));
    BOOST_CHECK_MESSAGE(
        error.find(text) != std::string::npos && error.find("node host") != std::string::npos,
        "expected \"" << text << "\": " << error);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_node_lives_through_garbage_on_its_port) {
  NodeProcess node("host", model_folder());
  RawConnection silent(node.port());
  for (unsigned seed = 0; seed < 20; ++seed) {
    RawConnection connection(node.port());
    connection.send(random_bytes(1 + seed * 97, seed));
  }
  RawConnection(node.port()).send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_CHECK_MESSAGE(node.process().runs(), "the node DIED: " << node.process().error());
  BOOST_CHECK(serves(node));
}

BOOST_AUTO_TEST_CASE(a_node_refuses_stages_that_it_cannot_make) {
  NodeProcess node("host", model_folder());
  Peer peer(node);
  auto with = [&](auto change) {
    auto spec = peer.good_spec();
    change(spec);
    return StageSpecMessage{spec};
  };
  peer.check_refused(garbage_message<StageSpec>(), "");
  peer.check_refused(StageSpecMessage{}, "");
  peer.check_refused(with([](StageSpec& s) { s.protocol = 99; }), "protocol version");
  peer.check_refused(with([](StageSpec& s) { s.numerics = "f16/other"; }), "numerics");
  peer.check_refused(with([](StageSpec& s) { s.end_layer = 7; }), "6 layers");
  peer.check_refused(with([](StageSpec& s) { s.end_layer = 0; }), "layers");
  peer.check_refused(with([](StageSpec& s) { s.first_layer = s.end_layer; }), "no layers 2 to 2");
  peer.check_refused(with([](StageSpec& s) { s.hidden_type = HiddenType{7}; }), "hidden states");
  peer.check_refused(with([](StageSpec& s) { s.model_file = "../../etc/passwd"; }), "file name");
  peer.check_refused(with([](StageSpec& s) { s.kv_type = KvType{7}; }), "keys and values");
  peer.check_refused(with([](StageSpec& s) { s.model_file = "other.gguf"; }), "other.gguf");
  std::string error;
  BOOST_CHECK(!peer.spawn(with([](StageSpec&) {}), PipelineActor{}, error));
  BOOST_CHECK_MESSAGE(error.find("neighbours") != std::string::npos, error);

  auto stage = peer.spawn(with([](StageSpec& s) { s.model_hash = "00"; }), peer.next, error);
  BOOST_REQUIRE(stage);
  BOOST_CHECK_EXCEPTION(ask<StageStatsMessage>(peer.self, stage->stage, seconds(10), load_a_v),
                        RuntimeError, [](const RuntimeError& e) {
                          return std::string(e.what()).find("hash") != std::string::npos;
                        });
  BOOST_CHECK(serves(node));
}

BOOST_AUTO_TEST_CASE(nobody_looks_round_a_network_through_a_node) {
  NodeProcess node("host", model_folder());
  NodeProcess other("other", model_folder());
  Peer peer(node);
  auto dials = [&](std::uint16_t port) -> std::string {
    try {
      ask<caf::node_id>(peer.self, peer.node.agent, seconds(10), connect_a_v, "127.0.0.1", port);
      return "";
    } catch (const RuntimeError& e) {
      return e.what();
    }
  };
  MuteServer refuses(0);
  int told = 0;
  for (int i = 0; i < 20; ++i)
    told += dials(refuses.port()).find("connection refused") != std::string::npos ? 1 : 0;
  BOOST_CHECK_EQUAL(told, 16);
  auto untold = dials(refuses.port());
  BOOST_CHECK_MESSAGE(untold.find("its log says why") != std::string::npos, untold);
  BOOST_CHECK_EQUAL(dials(static_cast<std::uint16_t>(other.port())), "");
}

BOOST_AUTO_TEST_CASE(a_node_loads_its_layers_from_a_folder) {
  NodeProcess node("host", model_folder());
  Peer peer(node);
  auto spec = peer.good_spec();
  spec.model_file = "target-hf";
  std::string error;
  auto load = [&] {
    auto stage = peer.spawn(StageSpecMessage{spec}, peer.next, error);
    BOOST_REQUIRE_MESSAGE(stage, error);
    return ask<StageStatsMessage>(peer.self, stage->stage, seconds(10), load_a_v).read();
  };
  BOOST_CHECK_EXCEPTION(load(), RuntimeError, [](const RuntimeError& e) {
    return std::string(e.what()).find("target-hf is not the model") != std::string::npos;
  });
  spec.model_hash = hash_model(*open_model(model_folder() / "target-hf").files);
  BOOST_CHECK(load());
}

BOOST_AUTO_TEST_CASE(a_stage_lives_through_garbage) {
  NodeProcess node("host", model_folder());
  Peer peer(node);
  std::string error;
  auto stage = peer.spawn(StageSpecMessage{peer.good_spec()}, peer.next, error);
  BOOST_REQUIRE_MESSAGE(stage, error);
  ask<StageStatsMessage>(peer.self, stage->stage, seconds(10), load_a_v);
  for (int i = 0; i < 3; ++i) {
    peer.self->send(stage->stage, garbage_message<Segment>());
    peer.self->send(stage->stage, garbage_message<Open>());
    peer.self->send(stage->stage, CloseMessage{});
    peer.self->send(stage->control, garbage_message<Prunes>());
    peer.self->send(stage->control, garbage_message<Cancel>());
  }
  auto malformed = [&] {
    auto stats = ask<StageStatsMessage>(peer.self, stage->stage, seconds(10), stats_a_v).read();
    return stats ? stats->malformed : 0;
  };
  // Control messages take the way through their relay.
  for (int i = 0; i < 100 && malformed() < 15; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  BOOST_CHECK(malformed() == 15);
  BOOST_CHECK(serves(node));
}

BOOST_AUTO_TEST_CASE(another_protocol_version_is_told) {
  TransportOptions options;
  options.tls = make_tls({});
  options.greeting.oldest_protocol = options.greeting.newest_protocol = 999;
  options.greeting.version = "9.9";
  Transport newer(options);
  auto port = newer.listen(numeric_address("127.0.0.1", 0), [](auto) {});
  auto address = "127.0.0.1:" + std::to_string(port);
  auto result = flowspec_program({"generate", "hello", "--node", address});
  BOOST_CHECK_MESSAGE(result.exit_code == 1 && result.complains(address) &&
                          result.complains("protocol version 999"),
                      result.exit_code << " " << result.error);
}
