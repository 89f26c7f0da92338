/// Certificates and revocation lists that the library makes are those that TLS takes.

#include "runtime/membership/certificates.hpp"

#include <array>
#include <filesystem>
#include <fstream>

#include <boost/test/unit_test.hpp>

#include "actors/cluster/wire/tls.hpp"
#include "actors/cluster/wire/wire_error.hpp"
#include "runtime/console/error.hpp"
#include "runtime/membership/revocation.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

constexpr Seconds hour = 60 * 60;

Validity around_now() {
  return {seconds_now() - hour, seconds_now() + hour};
}

const Identity& authority() {
  static const Identity made = make_authority(around_now());
  return made;
}

Identity member(const std::string& name, Validity validity = around_now()) {
  auto key = make_key();
  return {sign(authority(), make_request(key, name), {name, validity, false}), key};
}

std::string revocations(const std::vector<Revoked>& revoked, std::uint64_t number) {
  return make_revocation_list(authority(), revoked, number, around_now());
}

/// A member's files, as a program has them.
class Files {
 public:
  explicit Files(const Identity& identity) {
    put("ca.pem", authority().certificate);
    put("crl.pem", revocations({}, 1));
    put("member.pem", identity.certificate + identity.key);
  }

  /// In place of the old one, whose time of change may be the same.
  void put(const std::string& name, const std::string& text) const {
    auto draft = folder_ / (name + ".new");
    std::ofstream(draft) << text;
    std::filesystem::permissions(draft, std::filesystem::perms{0600});
    std::filesystem::rename(draft, folder_ / name);
  }

  TlsFiles tls() const {
    auto path = [&](const char* name) { return (folder_ / name).string(); };
    return {path("member.pem"), path("member.pem"), path("ca.pem"), path("crl.pem")};
  }

 private:
  TempFolder folder_;
};

/// What the server and the client say of their handshake; both empty where it succeeds.
std::array<std::string, 2> shake(const TlsContext& server_side, const TlsContext& client_side) {
  TlsSession server(server_side, TlsSide::server);
  TlsSession client(client_side, TlsSide::client);
  std::vector<char> bytes;
  std::array<std::byte, 64> plain;
  auto step = [&](TlsSession& to, TlsSession& from) {
    from.take_outgoing(bytes);
    to.feed(std::as_bytes(std::span(bytes)));
    if (to.shake_hands() == TlsSession::Handshake::done)
      to.read(plain);
  };
  client.shake_hands();
  for (int i = 0; i < 4; ++i) {
    step(server, client);
    step(client, server);
  }
  return {server.problem(), client.problem()};
}

void check_refused(const std::string& problem, const std::string& reason) {
  BOOST_CHECK_MESSAGE(problem.find(reason) != std::string::npos,
                      "expected \"" << reason << "\": \"" << problem << "\"");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(certificates)

BOOST_AUTO_TEST_CASE(members_of_one_authority_shake_hands) {
  Files first(member("first"));
  Files second(member("second"));
  auto problems = shake(TlsContext(first.tls()), TlsContext(second.tls()));
  BOOST_TEST(problems[0] == "");
  BOOST_TEST(problems[1] == "");
}

BOOST_AUTO_TEST_CASE(a_certificate_has_the_name_that_the_authority_gives) {
  auto key = make_key();
  auto certificate = sign(authority(), make_request(key, "root"), {"board-2", around_now(), false});
  auto facts = facts_of(certificate);
  BOOST_TEST(facts.name == "board-2");
  BOOST_TEST(!facts.is_owner);
  BOOST_TEST(facts.serial.size() == 32);
  BOOST_TEST(facts.serial != facts_of(member("other").certificate).serial);
  BOOST_TEST(identity_problem({certificate, key}, authority().certificate, seconds_now()) == "");
  BOOST_TEST(identity_problem({certificate, make_key()}, authority().certificate, seconds_now()) ==
             "it is for another key");
  auto stranger = make_authority(around_now());
  BOOST_TEST(certificate_problem(certificate, stranger.certificate, seconds_now()) != "");
}

BOOST_AUTO_TEST_CASE(what_is_no_request_is_not_signed) {
  auto refuses = [](const std::string& request, const std::string& reason) {
    check_throws<RuntimeError>(
        [&] {
          sign(authority(), request, {"a", around_now(), false});
        },
        {reason});
  };
  refuses("", "no request");
  refuses(make_key(), "no request");
  auto request = make_request(make_key(), "name");
  // Another name, under the signature of the first.
  auto at = request.find('\n') + 30;
  request[at] = request[at] == 'A' ? 'B' : 'A';
  BOOST_CHECK_THROW(sign(authority(), request, {"a", around_now(), false}), RuntimeError);
}

BOOST_AUTO_TEST_CASE(a_member_is_refused_once_the_list_has_it_without_a_new_start) {
  auto lost = member("lost");
  Files own(member("own"));
  Files other(lost);
  TlsContext server(own.tls());
  TlsContext client(other.tls());
  BOOST_TEST(shake(server, client)[0] == "");
  own.put("crl.pem", revocations({{facts_of(lost.certificate).serial, seconds_now()}}, 2));
  auto problems = shake(server, client);
  check_refused(problems[0], "its certificate is not accepted: certificate revoked");
  check_refused(problems[1], "certificate revoked");
  // And nobody else is.
  Files third(member("third"));
  BOOST_TEST(shake(server, TlsContext(third.tls()))[0] == "");
}

BOOST_AUTO_TEST_CASE(a_list_that_cannot_be_read_leaves_the_old_one_standing) {
  auto lost = member("lost");
  Files own(member("own"));
  own.put("crl.pem", revocations({{facts_of(lost.certificate).serial, seconds_now()}}, 2));
  Files other(lost);
  TlsContext server(own.tls());
  TlsContext client(other.tls());
  own.put("crl.pem", "nothing");
  check_refused(shake(server, client)[0], "certificate revoked");
  own.put("crl.pem", revocations({}, 3));
  BOOST_TEST(shake(server, client)[0] == "");
}

BOOST_AUTO_TEST_CASE(an_expired_certificate_is_refused_with_the_reason_and_the_way_out) {
  Files own(member("own"));
  Files other(member("other"));
  TlsContext server(own.tls());
  TlsContext client(other.tls());
  // It expires while the program runs.
  auto expired = member("other", {seconds_now() - 2 * hour, seconds_now() - hour});
  other.put("member.pem", expired.certificate + expired.key);
  auto problems = shake(server, client);
  check_refused(problems[0], "its certificate is not accepted: certificate has expired");
  check_refused(problems[0], "flowspec cluster invite --renew NAME");
  check_refused(problems[1], "certificate expired");
  check_throws<WireError>([&] { TlsContext{other.tls()}; }, {"member.pem", "expired"});
}

BOOST_AUTO_TEST_CASE(a_renewed_certificate_is_used_without_a_new_start) {
  auto old = member("own", {seconds_now() - hour, seconds_now() + 60});
  Files own(old);
  Files other(member("other"));
  TlsContext server(other.tls());
  TlsContext client(own.tls());
  auto renewed = member("own");
  own.put("member.pem", renewed.certificate + renewed.key);
  other.put("crl.pem", revocations({{facts_of(old.certificate).serial, seconds_now()}}, 2));
  BOOST_TEST(shake(server, client)[0] == "");
}

BOOST_AUTO_TEST_CASE(revocation_lists_of_others_do_not_count) {
  BOOST_TEST(revocation_number(revocations({}, 7), authority().certificate) == 7U);
  auto stranger = make_authority(around_now());
  check_throws<RuntimeError>([&] { revocation_number(revocations({}, 7), stranger.certificate); },
                             {"has not signed"});
  check_throws<RuntimeError>([&] { revocation_number("", authority().certificate); },
                             {"no revocation list"});
  check_throws<RuntimeError>([&] { revocations({{"xyz", 0}}, 1); }, {"no serial number"});
}

BOOST_AUTO_TEST_SUITE_END()
