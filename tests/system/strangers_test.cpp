/// Strangers at the port of a node, and many askers at once, beside runs that have to be right.

#include <deque>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "messages/types.hpp"
#include "tests/support/frames.hpp"
#include "tests/support/raw_peer.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/system/authority.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec;
using namespace flowspec::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

Arguments short_run(const NodeProcess& node, const Arguments& more) {
  return Arguments{"generate",
                   "-n",
                   "20",
                   "--model",
                   (model_folder() / "target.gguf").string(),
                   "--node",
                   node.address(),
                   "hello"} +
         more;
}

/// One of ten kinds of stranger at a TLS node.
void be_a_stranger(const NodeProcess& node, int kind, const Authority& own,
                   const Authority& foreign) {
  auto nodes = Arguments{"nodes", "--node", node.address()};
  switch (kind) {
    case 0:
      RawConnection{node.port()};  // connects and leaves
      break;
    case 1:
      RawConnection(node.port()).send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      break;
    case 2:
      RawConnection(node.port()).send(std::string(3000, '\0'));
      break;
    case 3: {
      RawConnection connection(node.port());
      connection.send("\x16\x03\x01\x02");  // a TLS record that does not go on
      connection.reset();
      break;
    }
    case 4:
      // Without a certificate.
      std::system(
          ("openssl s_client -connect " + node.address() + " </dev/null >/dev/null 2>&1").c_str());
      break;
    case 5:
      std::system(
          ("openssl s_client -tls1_2 -connect " + node.address() + " </dev/null >/dev/null 2>&1")
              .c_str());
      break;
    case 6:
      BOOST_CHECK(flowspec_program(nodes + foreign.options()).exit_code == 1);
      break;
    case 7:
      BOOST_CHECK(flowspec_program(nodes).exit_code == 1);  // by a secret
      break;
    case 8: {
      auto legitimate = flowspec_program(nodes + own.options());
      BOOST_CHECK_MESSAGE(legitimate.exit_code == 0, legitimate.error << legitimate.output);
      break;
    }
    default: {
      RawConnection connection(node.port());
      for (int i = 0; i < 20; ++i)
        connection.send("x");
      connection.reset();
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(strangers)

BOOST_AUTO_TEST_CASE(strangers_at_a_tls_node_disturb_no_run) {
  Authority own;
  Authority foreign;
  NodeProcess node("node", model_folder(), own.options());
  std::atomic<bool> ends = false;
  std::thread visitors([&] {
    for (int kind = 0; !ends; kind = (kind + 1) % 10)
      be_a_stranger(node, kind, own, foreign);
  });
  auto expected = flowspec_program(short_run(node, own.options()));
  BOOST_CHECK_MESSAGE(expected.exit_code == 0, expected.error);
  for (int i = 0; i < 10 * soak(); ++i) {
    auto result = flowspec_program(short_run(node, own.options()));
    BOOST_CHECK_MESSAGE(result.exit_code == 0 && result.output == expected.output,
                        "run " << i << ": " << result.error);
  }
  ends = true;
  visitors.join();
  BOOST_CHECK(node.process().runs());
}

BOOST_AUTO_TEST_CASE(nobody_takes_the_identity_of_another_member) {
  Authority own;
  own.sign("other");
  NodeProcess node("node", model_folder(), own.options());
  auto member = [&](const std::string& name) {
    TlsFiles files{own.file(name + ".pem"), own.file(name + ".key"), own.file("ca.pem"), ""};
    return TlsContext(files);
  };
  Greeting greeting;
  greeting.oldest_protocol = greeting.newest_protocol = protocol_version;
  greeting.node = node_key('m');
  auto first_tls = member("own");
  auto other_tls = member("other");
  RawPeer first(node.port(), first_tls);
  BOOST_REQUIRE(first.greet(greeting));
  RawPeer again(node.port(), first_tls);
  BOOST_CHECK(again.greet(greeting));
  RawPeer other(node.port(), other_tls);
  BOOST_CHECK(other.greet(greeting));
  BOOST_CHECK(other.is_closed_within(seconds(5)));
  BOOST_CHECK(!first.is_closed_within(milliseconds(100)));
  greeting.node = node_key('n');
  RawPeer itself(node.port(), other_tls);
  BOOST_CHECK(itself.greet(greeting));
  BOOST_CHECK(!itself.is_closed_within(milliseconds(100)));
}

BOOST_AUTO_TEST_CASE(connections_that_say_nothing_keep_nobody_out) {
  NodeProcess node("node", model_folder());
  auto before = resident_mib(node);
  for (int round = 0; round < soak(); ++round) {
    std::deque<RawConnection> silent;
    for (int i = 0; i < 900; ++i) {
      silent.emplace_back(node.port());
      if (i % 3 == 0)
        silent.back().send("\x16\x03\x01\x02");  // a TLS record that does not go on
    }
    auto during = resident_mib(node);
    BOOST_CHECK_MESSAGE(during < before + 64, "from " << before << " to " << during << " MiB");
    auto result = flowspec_program(short_run(node, {}));
    BOOST_CHECK_MESSAGE(result.exit_code == 0, result.error);
    for (const auto& connection : silent)
      BOOST_REQUIRE(connection.is_closed_within(seconds(10)));
  }
}

BOOST_AUTO_TEST_CASE(askers_that_start_at_once_are_served_or_told_why) {
  NodeProcess node("node", model_folder(), {"--max-stages", "64"});
  for (int round = 0; round < soak(); ++round) {
    std::vector<std::unique_ptr<Process>> askers;
    for (int i = 0; i < (soak() > 1 ? 64 : 24); ++i)
      askers.push_back(std::make_unique<Process>(Arguments{program_path("flowspec")} +
                                                 short_run(node, {"--temperature", "0"})));
    std::string text;
    for (const auto& asker : askers) {
      auto code = asker->wait(3 * patience);
      BOOST_REQUIRE_MESSAGE(code, "HANGS: " << asker->error());
      BOOST_CHECK_MESSAGE(*code == 0, asker->error());
      if (text.empty())
        text = asker->output();
      BOOST_CHECK(asker->output() == text);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
