/// What CAF itself writes is what the inspector reads.

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <caf/io/basp/header.hpp>

#include "actors/cluster/wire/basp.hpp"
#include "actors/type_ids.hpp"

using namespace flowspec;

namespace {

struct Config : caf::actor_system_config {
  Config() {
    add_message_types<caf::id_block::flowspec_messages>();
    add_message_types<caf::id_block::flowspec_actors>();
    load<caf::io::middleman>();
  }
};

struct World {
  Config config;
  caf::actor_system system{config};
  caf::actor actor = system.spawn(
      [](caf::event_based_actor*) -> caf::behavior { return {[](int x) { return x; }}; });
  ~World() { caf::anon_send_exit(actor, caf::exit_reason::user_shutdown); }

  std::string payload(const caf::message& content) {
    std::vector<char> bytes;
    caf::scoped_execution_unit context(&system);
    caf::binary_serializer sink(&context, bytes);
    std::vector<caf::strong_actor_ptr> stack;
    BOOST_REQUIRE(!sink(stack, content));
    return {bytes.begin(), bytes.end()};
  }

  template <class... Values>
  BaspMessage read(const Values&... values) {
    BaspMessage message;
    auto problem = read_basp_message(bytes_of(payload(caf::make_message(values...))), message);
    BOOST_CHECK_MESSAGE(!problem, problem.value_or(""));
    return message;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(messages_that_caf_writes_are_read, World) {
  BOOST_CHECK_EQUAL(read(hello_a_v).atoms.at(0), atom_number("hello"));
  BOOST_CHECK_EQUAL(read(spawn_st_a_v).atoms.at(0), atom_number("spawnstage"));
  BOOST_CHECK_EQUAL(read(SegmentMessage{}).types, "flowspec::SegmentMessage");
  BOOST_CHECK_EQUAL(read(PrunesMessage{PrunesMessage::make({})}).types, "flowspec::PrunesMessage");
  BOOST_CHECK_EQUAL(read(std::vector<StageStatsMessage>(2)).types,
                    "std::vector<flowspec::StageStatsMessage>");
  BOOST_CHECK_EQUAL(read(connect_a_v, std::string("host"), std::uint16_t{7}).types,
                    "@atom+@str+@u16");
  BOOST_CHECK_EQUAL(read(caf::make_error(caf::sec::runtime_error, std::string("text"))).types,
                    "@error");
  BOOST_CHECK_EQUAL(read(caf::exit_msg{actor.address(), caf::exit_reason::kill}).types, "@exit");
  BOOST_CHECK_EQUAL(read(caf::exit_msg{{}, caf::exit_reason::kill}).types, "@exit");
  BOOST_CHECK_EQUAL(read(system.node()).types, "@node");
}

BOOST_FIXTURE_TEST_CASE(actors_are_found_in_messages, World) {
  auto pipeline = caf::actor_cast<PipelineActor>(actor);
  auto control = caf::actor_cast<ControlActor>(actor);
  auto answer = read(pipeline, control);
  BOOST_CHECK_EQUAL(answer.types, "flowspec::PipelineActor+flowspec::ControlActor");
  BOOST_REQUIRE_EQUAL(answer.actors.size(), 2U);
  BOOST_CHECK_EQUAL(answer.actors[1].id, actor.id());
  BOOST_CHECK(answer.actors[1].node);
  auto spec = read(spawn_st_a_v, StageSpecMessage{}, pipeline,
                   caf::actor_cast<TreePrunerActor>(actor), caf::actor_cast<DraftActor>(actor));
  BOOST_CHECK_EQUAL(spec.actors.size(), 3U);
  auto binding =
      read(bind_a_v, actor, std::vector<caf::actor>{actor, {}}, std::vector{actor->node()});
  BOOST_CHECK_EQUAL(binding.types, "@atom+@actor+@actorvec+std::vector<caf::node_id>");
  BOOST_CHECK_EQUAL(binding.actors.size(), 3U);
  auto hops =
      read(bind_a_v, caf::actor_cast<DraftActor>(actor), std::vector<ControlActor>{control});
  BOOST_CHECK_EQUAL(hops.types, "@atom+flowspec::DraftActor+std::vector<flowspec::ControlActor>");
  BOOST_CHECK_EQUAL(hops.actors.size(), 2U);
  auto request = read(submit_a_v, OpenMessage{}, caf::actor_cast<SessionActor>(actor));
  BOOST_CHECK_EQUAL(request.types, "@atom+flowspec::OpenMessage+flowspec::SessionActor");
  auto spawn = read(caf::atom("spawn"), std::string("node_agent"), caf::make_message(actor),
                    std::set<std::string>{"a", "b"});
  BOOST_CHECK_EQUAL(spawn.types, "@atom+@str+@message+@strset");
  BOOST_CHECK_EQUAL(spawn.inner_types, "@actor");
  BOOST_CHECK_EQUAL(spawn.actors.size(), 1U);
  BOOST_CHECK_EQUAL(read(caf::actor_cast<caf::strong_actor_ptr>(actor)).types, "@strong_actor_ptr");
}

BOOST_FIXTURE_TEST_CASE(headers_that_caf_writes_are_read, World) {
  caf::io::basp::header header{caf::io::basp::message_type::direct_message, 1, 77, 5, 6, 8};
  std::vector<char> bytes;
  caf::scoped_execution_unit context(&system);
  caf::binary_serializer sink(&context, bytes);
  BOOST_REQUIRE(!sink(header));
  auto read = read_basp_header(bytes_of({bytes.data(), bytes.size()}));
  BOOST_REQUIRE(read);
  BOOST_CHECK(read->operation == BaspOperation::direct_message);
  BOOST_CHECK_EQUAL(read->flags, 1);
  BOOST_CHECK_EQUAL(read->payload_size, 77U);
  BOOST_CHECK_EQUAL(read->data, 5U);
  BOOST_CHECK_EQUAL(read->source, 6U);
  BOOST_CHECK_EQUAL(read->receiver, 8U);
  BOOST_CHECK_EQUAL(write_basp_header(*read), std::string(bytes.begin(), bytes.end()));
}
