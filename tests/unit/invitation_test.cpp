/// An invitation is good for one use, for a while, and for who knows its secret.

#include "runtime/membership/invitation.hpp"

#include <boost/test/unit_test.hpp>

#include "runtime/console/error.hpp"
#include "runtime/membership/join_messages.hpp"
#include "tests/support/check_error.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

const std::string secret(16, 's');
const std::string wrong(16, 'w');
const Invitation::Time begin{std::chrono::hours(1)};
const Invitation::Time end = begin + std::chrono::minutes(15);

void check_refused(const std::string& refusal, const std::string& reason) {
  BOOST_CHECK_MESSAGE(refusal.find(reason) != std::string::npos,
                      "expected \"" << reason << "\": \"" << refusal << "\"");
}

void check_no_line(const std::string& text, const std::string& reason) {
  check_throws<RuntimeError>([&] { parse_invitation(text); }, {reason});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(invitations)

BOOST_AUTO_TEST_CASE(a_line_is_read_as_it_was_written) {
  for (const Address& address : {Address{"board-1", 7342}, Address{"fd00::2", 1}}) {
    InvitationLine line{address, std::string(31, '\xfe') + '\0',
                        std::string("\xff\x00?>", 4) + std::string(12, 'x')};
    auto read = parse_invitation(encode(line));
    BOOST_CHECK(read.address == address);
    BOOST_CHECK(read.fingerprint == line.fingerprint);
    BOOST_CHECK(read.secret == line.secret);
  }
}

BOOST_AUTO_TEST_CASE(a_line_that_is_cut_or_changed_is_refused_before_anybody_connects) {
  auto line = encode(InvitationLine{{"board-1", 7342}, std::string(32, 'f'), secret});
  for (std::size_t size = 0; size < line.size(); ++size)
    BOOST_CHECK_THROW(parse_invitation(line.substr(0, size)), RuntimeError);
  check_no_line(line + "A", "the secret is not whole");
  check_no_line(line.substr(0, line.size() - 1) + "\n", "the secret is not whole");
  check_no_line("flowspec cluster join", "has not three parts");
  check_no_line("//", "the fingerprint is not whole");
  check_no_line(std::string(100000, '/'), "too long");
  check_no_line("http://" + line, "no URL");
}

BOOST_AUTO_TEST_CASE(a_secret_is_good_once) {
  Invitation invitation(secret, end);
  BOOST_TEST(invitation.refusal(secret, begin) == "");
  BOOST_TEST(invitation.refusal(secret, begin) == "");  // nobody has joined by it yet
  invitation.use();
  check_refused(invitation.refusal(secret, begin), "has been used already");
  BOOST_TEST(invitation.is_over(begin));
}

BOOST_AUTO_TEST_CASE(a_secret_lapses) {
  Invitation invitation(secret, end);
  BOOST_TEST(!invitation.is_over(begin));
  check_refused(invitation.refusal(secret, end), "has lapsed");
  BOOST_TEST(invitation.is_over(end));
}

BOOST_AUTO_TEST_CASE(who_does_not_know_the_secret_learns_nothing_and_has_few_attempts) {
  Invitation invitation(secret, end);
  invitation.use();
  for (const std::string& guess : {std::string(), std::string("s"), secret + "s"})
    check_refused(invitation.refusal(guess, end), "the secret is wrong");
  for (int i = 3; i < Invitation::most_wrong; ++i)
    check_refused(invitation.refusal(wrong, begin), "the secret is wrong");
  BOOST_TEST(invitation.is_over(begin));
  check_refused(invitation.refusal(secret, begin), "too many wrong secrets");
}

BOOST_AUTO_TEST_CASE(messages_are_read_as_they_were_written_and_others_refused) {
  auto request = parse_join_request(encode(JoinRequest{secret, "board-1", "pem\npem\n"}));
  BOOST_CHECK(request.secret == secret && request.name == "board-1" &&
              request.request == "pem\npem\n");
  auto answer = parse_join_answer(encode(JoinAnswer{"", "a", "b", "c"}));
  BOOST_CHECK(answer.refusal.empty() && answer.certificate == "a" && answer.authority == "b" &&
              answer.revocation_list == "c");
  BOOST_TEST(parse_join_answer(encode(JoinAnswer{"no\x1b[2J", "", "", ""})).refusal == "no?[2J");
  for (const char* line :
       {"", "\n", "{}\n", "[]\n", "null\n", "{\"flowspec\":2}\n", "{\"flowspec\":1}\n",
        "\xff\xfe\n", "{\"flowspec\":1,\"secret\":1,\"name\":[],\"request\":{}}\n"}) {
    BOOST_CHECK_THROW(parse_join_request(line), RuntimeError);
    BOOST_CHECK_THROW(parse_join_answer(line), RuntimeError);
  }
}

BOOST_AUTO_TEST_CASE(names_of_members_are_words) {
  for (const char* name : {"a", "board-1", "Rack.2_b", "7"})
    check_member_name(name);
  for (const std::string& name :
       {std::string(), std::string("-a"), std::string("a b"), std::string("a/b"),
        std::string("a,DNS:b"), std::string("\x1b"), std::string("ä"), std::string(64, 'a')})
    check_throws<RuntimeError>([&] { check_member_name(name); }, {"no name of a member"});
}

BOOST_AUTO_TEST_SUITE_END()
