/// Hosts are judged by the addresses that they stand for, and none of them is waited for for long.

#include "runtime/cluster/address.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/cluster/resolve.hpp"
#include "runtime/console/error.hpp"

using namespace flowspec;

namespace {

/// What is wrong with listening there, without certificates or with.
std::string problem_of(const std::string& host, bool uses_tls = false) {
  try {
    listen_address({host, 7341}, uses_tls);
    return "";
  } catch (const RuntimeError& e) {
    BOOST_TEST((e.code() == ErrorCode::bad_request));
    return e.what();
  }
}

HostAddress numeric(const std::string& host, std::uint16_t port) {
  auto resolved = resolve(host, port);
  BOOST_REQUIRE_MESSAGE(resolved.addresses.size() == 1, resolved.problem);
  return resolved.addresses.front();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(hosts)

BOOST_AUTO_TEST_CASE(numbers_need_no_name_server) {
  for (const char* host : {"127.0.0.1", "::1", "10.77.0.2", "fe80::1", "::ffff:127.0.0.1"}) {
    auto resolved = resolve(host, 5);
    BOOST_TEST_CONTEXT(host) {
      BOOST_TEST(resolved.problem == "");
      BOOST_TEST(resolved.addresses.size() == 1);
      BOOST_TEST(resolved.addresses.front().text() == host);
    }
  }
  BOOST_TEST(!resolve("no-such-host.invalid", 5).problem.empty());
  BOOST_TEST(!resolve(std::string("127.0.0.1\0.evil", 15), 5).problem.empty());
}

BOOST_AUTO_TEST_CASE(loopback_is_a_property_of_addresses) {
  for (const char* host : {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"})
    BOOST_TEST(numeric(host, 1).is_loopback(), host);
  for (const char* host : {"0.0.0.0", "128.0.0.1", "::", "::2", "::ffff:10.0.0.1", "10.127.0.1"})
    BOOST_TEST(!numeric(host, 1).is_loopback(), host);
}

BOOST_AUTO_TEST_CASE(addresses_of_one_link_are_left_out) {
  // A machine's name stands for them too, and the one that answers first is taken.
  Resolved mixed{{numeric("fe80::1", 1), numeric("127.0.0.1", 1), numeric("fe80::2", 1)}, ""};
  drop_link_local(mixed);
  BOOST_REQUIRE(mixed.addresses.size() == 1);
  BOOST_TEST(mixed.addresses.front().text() == "127.0.0.1");
  BOOST_TEST(mixed.problem == "");
  Resolved nothing_else{{numeric("fe80::1", 1)}, ""};
  drop_link_local(nothing_else);
  BOOST_TEST(nothing_else.addresses.empty());
  BOOST_TEST(nothing_else.problem.find("link-local addresses (fe80::) only") != std::string::npos);
  Resolved unknown{{}, "unknown host"};
  drop_link_local(unknown);
  BOOST_TEST(unknown.problem == "unknown host");
}

BOOST_AUTO_TEST_CASE(a_name_that_looks_like_loopback_is_not_trusted) {
  // Here it stands for nothing; with an entry in a hosts file it could be any machine.
  BOOST_TEST(problem_of("127.evil").find("unknown host") != std::string::npos);
  BOOST_TEST(problem_of("127.0.0.1.nip.invalid").find("unknown host") != std::string::npos);
  BOOST_TEST(problem_of("0.0.0.0").find("without certificates") != std::string::npos);
  BOOST_TEST(problem_of("::").find("without certificates") != std::string::npos);
  BOOST_TEST(problem_of("0.0.0.0", true) == "");
}

BOOST_AUTO_TEST_CASE(this_machine_may_be_named_in_any_way) {
  for (const char* host : {"127.0.0.1", "127.1", "::1", "localhost", "LocalHost", "localhost."})
    BOOST_TEST(problem_of(host) == "", host);
  BOOST_TEST(listen_address({"localhost", 1}, false).text() == "127.0.0.1");
}

BOOST_AUTO_TEST_CASE(what_the_own_host_name_stands_for_decides) {
  std::array<char, 256> name{};
  BOOST_REQUIRE(::gethostname(name.data(), name.size() - 1) == 0);
  auto resolved = resolve(name.data(), 1);
  bool is_loopback = !resolved.addresses.empty();
  for (const HostAddress& address : resolved.addresses)
    is_loopback = is_loopback && address.is_loopback();
  BOOST_TEST(problem_of(name.data()).empty() == is_loopback);
}

BOOST_AUTO_TEST_SUITE_END()
