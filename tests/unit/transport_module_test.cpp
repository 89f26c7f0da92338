/// Actors of two processes, over more than one connection.

#include "actors/cluster/wire/transport_module.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include "actors/cluster/dialer.hpp"
#include "actors/cluster/node_agent.hpp"
#include "actors/cluster/resolve.hpp"
#include "actors/type_ids.hpp"
#include "tests/support/comes_true.hpp"
#include "tests/support/wire_ends.hpp"

using namespace flowspec;
using namespace flowspec::test;
using std::chrono::seconds;

namespace {

constexpr seconds patience{20};

/// Says hello to its owner, and sends everything back.
caf::behavior echo(caf::event_based_actor* self, caf::actor owner) {
  self->send(owner, PrunesMessage{Prunes{}});
  return {[=](const PrunesMessage& message) { self->send(owner, message); }};
}

/// A process of its own, but for its memory.
struct Side {
  caf::actor_system_config config = [] {
    caf::actor_system_config c;
    c.add_message_types<caf::id_block::flowspec_messages>();
    c.add_message_types<caf::id_block::flowspec_actors>();
    c.load<caf::io::middleman>();
    auto options = options_of('s');
    options.greeting.heartbeat = seconds(5);  // nothing is lost by silence
    load_transport(c, options);
    c.add_actor_type(node_agent_name, echo);
    return c;
  }();
  caf::actor_system system{config};

  std::uint16_t listen() {
    caf::scoped_actor self(system);
    std::uint16_t port = 0;
    self->request(transport_of(system).middleman(), patience, caf::open_atom::value,
                  std::uint16_t{0}, std::string("127.0.0.1"), true)
        .receive([&](std::uint16_t opened) { port = opened; },
                 [&](const caf::error& e) { BOOST_FAIL(caf::to_string(e)); });
    return port;
  }
  Transport& transport() { return transport_of(system).transport(); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(transport_module)

BOOST_AUTO_TEST_CASE(no_message_takes_a_connection_whose_dialler_has_not_taken_it) {
  Side near;
  Side far;
  // As if whoever wanted it had ended meanwhile.
  auto forgotten = dial(far.transport(), resolve("127.0.0.1", near.listen()).addresses).connection;
  BOOST_REQUIRE(forgotten);
  BOOST_REQUIRE(comes_true([&] { return !near.transport().connections().empty(); }));

  caf::scoped_actor self(near.system);
  auto dialer = spawn_dialer(near.system);
  caf::node_id node;
  self->request(dialer, patience, connect_a_v, std::string("127.0.0.1"), far.listen())
      .receive([&](const caf::node_id& found) { node = found; },
               [&](const caf::error& e) { BOOST_FAIL(caf::to_string(e)); });
  auto made = near.system.middleman().remote_spawn<caf::actor>(
      node, node_agent_name, caf::make_message(caf::actor_cast<caf::actor>(self)),
      caf::duration{patience});
  BOOST_REQUIRE(made);
  caf::actor there;
  self->receive(
      [&](const PrunesMessage&) { there = caf::actor_cast<caf::actor>(self->current_sender()); },
      caf::after(patience) >> [] {});
  BOOST_REQUIRE(there);
  self->send(there, PrunesMessage{Prunes{}});
  bool has_come = false;
  self->receive([&](const PrunesMessage&) { has_come = true; }, caf::after(seconds(5)) >> [] {});
  BOOST_CHECK(has_come);
  caf::anon_send_exit(there, caf::exit_reason::kill);
  caf::anon_send_exit(dialer, caf::exit_reason::kill);
}

BOOST_AUTO_TEST_SUITE_END()
