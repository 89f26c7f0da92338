/// An invitation over sockets: who is let in, who is not, and who is trusted with the secret.

#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "runtime/console/error.hpp"
#include "runtime/membership/inviter.hpp"
#include "runtime/membership/joiner.hpp"
#include "runtime/membership/membership.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

using namespace std::chrono_literals;

/// A cluster, and an invitation to it that is served until this ends.
class Host {
  TempFolder folder_;

 public:
  Membership cluster{folder_ / "cluster"};

  explicit Host(std::chrono::milliseconds time = 1h) {
    cluster.init("first", seconds_now());
    line_ = make_invitation({"127.0.0.1", 0}, cluster.authority());
    Inviter::Events events;
    events.admit = [this](const JoinRequest& request) {
      return cluster.admit(request, "", seconds_now());
    };
    events.tell = [this](const std::string& text) {
      std::lock_guard lock(mutex_);
      told_ += text + "\n";
    };
    Invitation invitation(line_.secret, std::chrono::steady_clock::now() + time);
    inviter_ = std::make_unique<Inviter>(numeric_address("127.0.0.1", 0), cluster.own_identity(),
                                         cluster.authority(), invitation, events);
    line_.address.port = inviter_->port();
    end_ = std::async(std::launch::async, [this] { return inviter_->serve(); });
  }
  ~Host() { inviter_->stop(); }

  const InvitationLine& line() const { return line_; }
  int port() const { return line_.address.port; }
  Inviter::End end() { return end_.get(); }
  void stop() { inviter_->stop(); }
  bool has_told(const std::string& text) {
    std::lock_guard lock(mutex_);
    return told_.find(text) != std::string::npos;
  }

 private:
  InvitationLine line_;
  std::mutex mutex_;
  std::string told_;
  std::unique_ptr<Inviter> inviter_;
  std::future<Inviter::End> end_;
};

JoinAnswer join(const InvitationLine& line, const std::string& name) {
  return ask_to_join(line, name, make_key());
}

void check_refused(const InvitationLine& line, const std::string& name, const std::string& reason) {
  check_throws<RuntimeError>([&] { join(line, name); }, {reason});
}

InvitationLine with_wrong_secret(InvitationLine line) {
  line.secret.front() ^= 1;
  return line;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(joining)

BOOST_AUTO_TEST_CASE(who_has_the_line_joins_and_nobody_after_that) {
  Host host;
  auto key = make_key();
  auto answer = ask_to_join(host.line(), "second", key);
  BOOST_TEST(identity_problem({answer.certificate, key}, host.cluster.authority(), seconds_now()) ==
             "");
  BOOST_TEST(facts_of(answer.certificate).name == "second");
  BOOST_CHECK(host.end() == Inviter::End::used);
  BOOST_TEST(host.has_told("second has joined, from 127.0.0.1"));
  check_refused(host.line(), "third", "The invitation may have been used");
  BOOST_TEST(host.cluster.members().size() == 2);
}

BOOST_AUTO_TEST_CASE(a_wrong_secret_is_refused_and_the_right_one_stays_good) {
  Host host;
  check_refused(with_wrong_secret(host.line()), "second", "the secret is wrong");
  BOOST_TEST(host.has_told("refused second from 127.0.0.1: the secret is wrong"));
  BOOST_TEST(host.cluster.members().size() == 1);
  join(host.line(), "second");
  BOOST_CHECK(host.end() == Inviter::End::used);
}

BOOST_AUTO_TEST_CASE(an_invitation_ends_when_somebody_guesses) {
  Host host;
  for (int i = 0; i < Invitation::most_wrong; ++i)
    check_refused(with_wrong_secret(host.line()), "second", "the secret is wrong");
  BOOST_CHECK(host.end() == Inviter::End::locked);
  BOOST_TEST(host.cluster.members().size() == 1);
}

BOOST_AUTO_TEST_CASE(a_name_that_is_taken_uses_no_secret) {
  Host host;
  check_refused(host.line(), "first", "there is a member first already");
  check_refused(host.line(), "a,DNS:b", "no name of a member");
  join(host.line(), "second");
  BOOST_CHECK(host.end() == Inviter::End::used);
}

BOOST_AUTO_TEST_CASE(an_invitation_lapses_and_can_be_ended) {
  Host lapsed(0ms);
  BOOST_CHECK(lapsed.end() == Inviter::End::lapsed);
  BOOST_TEST(lapsed.cluster.members().size() == 1);
  Host ended;
  RawConnection silent(ended.port());
  ended.stop();
  BOOST_CHECK(ended.end() == Inviter::End::stopped);
}

BOOST_AUTO_TEST_CASE(strangers_change_nothing_and_keep_nobody_waiting) {
  Host host;
  std::deque<RawConnection> strangers;
  for (int i = 0; i < 50; ++i) {
    strangers.emplace_back(host.port());
    if (i % 3 == 0)
      strangers.back().send("GET / HTTP/1.1\r\n\r\n");
    if (i % 3 == 1)
      strangers.back().send("\x16\x03\x01\x02");  // a TLS record that does not go on
    if (i % 7 == 0)
      strangers.back().reset();
  }
  BOOST_TEST(host.cluster.members().size() == 1);
  join(host.line(), "second");
  // The silent ones are dropped, or the invitation would not end.
  BOOST_CHECK(host.end() == Inviter::End::used);
}

BOOST_AUTO_TEST_CASE(the_secret_is_not_told_to_another_cluster) {
  Host host;
  Host other;
  auto line = host.line();
  line.address.port = other.line().address.port;
  check_refused(line, "second", "it belongs to another cluster");
  MuteServer mute;
  line.address.port = mute.port();
  check_refused(line, "second", "does not answer as an invitation does");
  MuteServer nobody(0);
  line.address.port = nobody.port();
  check_refused(line, "second", "cannot be reached");
}

BOOST_AUTO_TEST_CASE(the_secret_is_not_told_to_a_mere_member_of_the_cluster) {
  // Has a certificate of the authority, and is not its owner.
  Host host;
  auto key = make_key();
  auto answer = ask_to_join(host.line(), "second", key);
  Identity member{answer.certificate, key};
  std::promise<void> asked;
  Inviter::Events events;
  events.admit = [&](const JoinRequest&) {
    asked.set_value();
    return answer;
  };
  events.tell = [](const std::string&) {};
  Inviter impostor(numeric_address("127.0.0.1", 0), member, host.cluster.authority(),
                   Invitation(host.line().secret, std::chrono::steady_clock::now() + 1h), events);
  auto end = std::async(std::launch::async, [&] { return impostor.serve(); });
  auto line = host.line();
  line.address.port = impostor.port();
  check_refused(line, "third", "not its owner");
  impostor.stop();
  BOOST_CHECK(end.get() == Inviter::End::stopped);
  BOOST_CHECK(asked.get_future().wait_for(0s) == std::future_status::timeout);
}

BOOST_AUTO_TEST_SUITE_END()
