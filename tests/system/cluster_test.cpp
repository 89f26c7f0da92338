/// Machines that come together by `flowspec cluster`: each home folder stands for one of them.

#include <csignal>
#include <filesystem>

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <ifaddrs.h>
#include <netinet/in.h>

#include "runtime/membership/membership.hpp"
#include "tests/support/sockets.hpp"
#include "tests/system/home.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

namespace {

/// An address of this machine that is no loopback address; empty if it has none.
std::string own_address() {
  ifaddrs* list = nullptr;
  BOOST_REQUIRE(::getifaddrs(&list) == 0);
  std::string found;
  for (const auto* entry = list; entry != nullptr && found.empty(); entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET)
      continue;
    const auto& address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
    std::array<char, INET_ADDRSTRLEN> text{};
    if ((ntohl(address.s_addr) >> 24U) != 127)
      found = ::inet_ntop(AF_INET, &address, text.data(), text.size());
  }
  ::freeifaddrs(list);
  return found;
}

class Node {
 public:
  Node(const Home& home, const std::string& host, const Arguments& more = {})
      : address_(host + ":" + free_port()),
        process_(home.command(
            "flowspec-node",
            Arguments{"--models", model_folder().string(), "--listen", address_} + more)) {
    BOOST_REQUIRE_MESSAGE(process_.wait_for_output("(certificates)\n", patience),
                          process_.output() << process_.error());
  }
  const std::string& address() const { return address_; }

 private:
  std::string address_;
  Process process_;
};

void check_refused(const Result& result, int code, const std::string& reason) {
  BOOST_CHECK_MESSAGE(
      result.exit_code == code && result.complains(reason),
      "expected \"" << reason << "\": exit code " << result.exit_code << ", " << result.error);
}

const Arguments as_member{"--member"};

}  // namespace

BOOST_AUTO_TEST_SUITE(clusters)

BOOST_AUTO_TEST_CASE(from_nothing_to_a_first_token_on_another_machine) {
  Home first;
  Home second;
  first.init("first");
  Invite invite(first);
  auto joined = second.cluster({"join", invite.line(), "--name", "second"});
  BOOST_REQUIRE_MESSAGE(joined.exit_code == 0, joined.error);
  BOOST_TEST(invite.process().wait(patience).value_or(-1) == 0);
  BOOST_TEST(invite.process().output().find("second has joined") != std::string::npos);
  BOOST_TEST(first.members() == "first second ");
  BOOST_TEST(second.members() == "second ");
  auto host = own_address();
  if (host.empty()) {
    BOOST_TEST_MESSAGE("SKIPPED: this machine has no address but loopback ones");
    return;
  }
  Node node(second, host);
  check_works(first.generate(node.address()));
  check_works(second.generate(node.address()));
  auto asked = first.flowspec({"nodes", "--node", node.address()});
  check_works(asked);
  Home stranger;
  check_refused(stranger.generate(node.address()), 1, node.address());
  stranger.init("stranger");
  check_refused(stranger.generate(node.address()), 1, node.address());
}

BOOST_AUTO_TEST_CASE(on_one_machine_the_secret_stays_and_member_asks_for_certificates) {
  Home home;
  home.init("first");
  Node node(home, "127.0.0.1", as_member);
  check_works(home.generate(node.address(), as_member));
  check_refused(home.generate(node.address()), 1, "--member");
  Home none;
  check_refused(none.generate(node.address(), as_member), 2, "flowspec cluster init");
}

BOOST_AUTO_TEST_CASE(a_removed_member_is_refused_without_a_new_start) {
  Home owner;
  Home second;
  Home third;
  owner.init("owner");
  join(owner, second, "second");
  join(owner, third, "third");
  Node node(owner, "127.0.0.1", as_member);
  Node other(third, "127.0.0.1", as_member);
  check_works(second.generate(node.address(), as_member));
  auto removed = owner.cluster({"remove", "second"});
  BOOST_TEST(removed.exit_code == 0, removed.error);
  BOOST_TEST(owner.members() == "owner second! third ");
  check_refused(second.generate(node.address(), as_member), 1, "certificate revoked");
  check_works(third.generate(node.address(), as_member));
  // Elsewhere once the list is there.
  check_works(second.generate(other.address(), as_member));
  auto list = owner.cluster({"crl"});
  BOOST_TEST(third.cluster({"sync", "-"}, list.output).exit_code == 0);
  check_refused(second.generate(other.address(), as_member), 1, "certificate revoked");
  check_refused(third.cluster({"sync", "-"}, "nothing"), 2, "no revocation list");
}

BOOST_AUTO_TEST_CASE(an_invitation_is_good_once_and_for_who_has_it) {
  Home owner;
  Home second;
  Home third;
  owner.init("owner");
  Invite invite(owner);
  auto wrong = invite.line();
  wrong.at(wrong.rfind('/') + 1) = wrong.at(wrong.rfind('/') + 1) == 'A' ? 'B' : 'A';
  check_refused(second.cluster({"join", wrong, "--name", "second"}), 2, "the secret is wrong");
  check_refused(second.cluster({"join", invite.line(), "--name", "owner"}), 2,
                "there is a member owner already");
  BOOST_TEST(!std::filesystem::exists(second.folder()));
  RawConnection stranger(std::stoi(invite.line().substr(invite.line().find(':') + 1)));
  stranger.send("GET / HTTP/1.1\r\n\r\n");
  BOOST_TEST(owner.members() == "owner ");
  check_works(second.cluster({"join", invite.line(), "--name", "second"}));
  check_refused(third.cluster({"join", invite.line(), "--name", "third"}), 1, "have been used");
  BOOST_TEST(invite.process().wait(patience).value_or(-1) == 0);
  BOOST_TEST(owner.members() == "owner second ");
}

BOOST_AUTO_TEST_CASE(an_expired_certificate_is_told_with_the_way_out) {
  Home owner;
  Home second;
  constexpr auto years = 3 * 365 * flowspec::day;
  flowspec::Membership cluster(owner.folder());
  cluster.init("owner", flowspec::seconds_now() - years);
  auto key = flowspec::make_key();
  auto request = flowspec::make_request(key, "second");
  flowspec::Membership(second.folder())
      .accept(cluster.admit({"", "second", request}, "", flowspec::seconds_now() - years), key,
              flowspec::seconds_now() - years);
  check_refused(owner.generate("127.0.0.1:1", as_member), 2, "flowspec cluster renew");
  check_refused(second.generate("127.0.0.1:1", as_member), 2,
                "flowspec cluster invite --renew second");
  check_works(owner.cluster({"renew"}));
  Node node(owner, "127.0.0.1", as_member);
  check_works(owner.generate(node.address(), as_member));
  Invite invite(owner, {"--renew", "second"});
  check_works(second.cluster({"join", invite.line()}));
  check_works(second.generate(node.address(), as_member));
  BOOST_TEST(owner.members() == "owner second ");
}

BOOST_AUTO_TEST_CASE(a_certificate_that_expires_soon_is_told_and_works) {
  Home owner;
  flowspec::Membership(owner.folder()).init("owner", flowspec::seconds_now(), 20 * flowspec::day);
  Node node(owner, "127.0.0.1", as_member);
  auto result = owner.generate(node.address(), as_member);
  check_works(result);
  BOOST_TEST(result.complains("expires on"), result.error);
  BOOST_TEST(result.complains("flowspec cluster renew"), result.error);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_done_is_told_with_the_remedy) {
  Home owner;
  Home other;
  for (const auto& arguments : {Arguments{"list"}, Arguments{"invite"}, Arguments{"remove", "x"},
                                Arguments{"renew"}, Arguments{"crl"}})
    check_refused(other.cluster(arguments), 2, "flowspec cluster init");
  owner.init("owner");
  check_refused(owner.cluster({"init"}), 2, "move that folder away");
  check_refused(owner.cluster({"remove", "nobody"}), 2, "there is no member \"nobody\"");
  check_refused(owner.cluster({"invite", "--renew", "nobody"}), 2, "there is no member \"nobody\"");
  check_refused(other.cluster({"join", "nonsense"}), 2, "is no invitation");
  check_refused(other.cluster({}), 2, "flowspec cluster --help");
  Invite invite(owner);
  check_refused(owner.cluster({"join", invite.line()}), 2, "on the other machine");
  other.init("other");
  check_refused(other.cluster({"join", invite.line()}), 2, "belongs to another cluster");
  invite.process().signal(SIGINT);
  BOOST_TEST(invite.process().wait(patience).value_or(-1) == 130);
}

BOOST_AUTO_TEST_SUITE_END()
