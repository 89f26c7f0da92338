/// The files of a cluster: made whole or not at all, and by nobody else read.

#include "runtime/membership/membership.hpp"

#include <filesystem>
#include <fstream>

#include <boost/test/unit_test.hpp>

#include "runtime/console/error.hpp"
#include "runtime/membership/revocation.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace fs = std::filesystem;

namespace {

/// Two users' folders.
struct Homes {
  TempFolder folder;
  Membership owner{folder / "owner/cluster"};
  Membership other{folder / "other/cluster"};

  /// `other` joins, by the words of an inviter.
  void join(const std::string& name, const std::string& renewed = {}) {
    auto key = make_key();
    other.accept(owner.admit({"", name, make_request(key, name)}, renewed, seconds_now()), key,
                 seconds_now());
  }
};

void check_error(const std::function<void()>& call, const std::string& text) {
  check_throws<RuntimeError>(call, {text});
}

JoinAnswer admit(Membership& owner, const std::string& name, const std::string& renewed = {}) {
  return owner.admit({"", name, make_request(make_key(), name)}, renewed, seconds_now());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(memberships)

BOOST_AUTO_TEST_CASE(a_new_cluster_has_one_member_and_files_of_its_own) {
  Homes homes;
  homes.owner.init("first", seconds_now());
  BOOST_TEST(homes.owner.is_owner());
  auto members = homes.owner.members();
  BOOST_REQUIRE(members.size() == 1);
  BOOST_TEST(members.front().name == "first");
  BOOST_TEST(members.front().is_owner);
  BOOST_TEST(members.front().serial == homes.owner.own().serial);
  auto folder = homes.owner.folder();
  BOOST_CHECK(fs::status(folder).permissions() == fs::perms{0700});
  for (const auto& entry : fs::directory_iterator(folder))
    BOOST_CHECK(entry.status().permissions() == fs::perms{0600});
  BOOST_CHECK(std::distance(fs::directory_iterator(folder.parent_path()), {}) == 1);
  TlsContext context(homes.owner.files());
}

BOOST_AUTO_TEST_CASE(a_cluster_is_not_overwritten) {
  Homes homes;
  homes.owner.init("first", seconds_now());
  auto before = homes.owner.authority();
  check_error([&] { homes.owner.init("second", seconds_now()); }, "move that folder away");
  BOOST_CHECK(homes.owner.authority() == before);
  BOOST_CHECK(std::distance(fs::directory_iterator(homes.owner.folder().parent_path()), {}) == 1);
}

BOOST_AUTO_TEST_CASE(who_joins_has_a_key_that_nobody_else_has) {
  Homes homes;
  homes.owner.init("first", seconds_now());
  homes.join("second");
  BOOST_TEST(!homes.other.is_owner());
  BOOST_TEST(!fs::exists(homes.other.folder() / "ca.key"));
  BOOST_TEST(homes.other.own().name == "second");
  BOOST_TEST(!homes.other.own().is_owner);
  auto members = homes.owner.members();
  BOOST_REQUIRE(members.size() == 2);
  BOOST_TEST(members.back().serial == homes.other.own().serial);
  BOOST_TEST(homes.other.members().size() == 1);
  TlsContext context(homes.other.files());
}

BOOST_AUTO_TEST_CASE(names_are_unique_and_belong_to_who_stands) {
  Homes homes;
  homes.owner.init("first", seconds_now());
  homes.join("second");
  check_error([&] { admit(homes.owner, "first"); }, "there is a member first already");
  check_error([&] { admit(homes.owner, "second"); }, "there is a member second already");
  BOOST_TEST(homes.owner.members().size() == 2);
  homes.owner.remove("second", seconds_now());
  admit(homes.owner, "second");
  BOOST_TEST(homes.owner.members().size() == 3);
}

BOOST_AUTO_TEST_CASE(a_removed_member_is_on_the_list_and_its_newer_certificates_too) {
  Homes homes;
  homes.owner.init("first", seconds_now());
  homes.join("second");
  auto old = homes.other.own().serial;
  homes.join("second", "second");
  BOOST_TEST(homes.other.own().serial != old);
  BOOST_TEST(homes.owner.members()[1].is_replaced);
  homes.owner.remove("second", seconds_now());
  for (const Member& member : homes.owner.members())
    BOOST_TEST(member.removed.has_value() == (member.name == "second"));
  BOOST_TEST(homes.other.sync(homes.owner.revocation_list()));
  check_throws<std::runtime_error>([&] { TlsContext{homes.other.files()}; }, {"revoked"});
  check_error([&] { homes.owner.remove("second", seconds_now()); }, "has been removed already");
  check_error([&] { homes.owner.remove("third", seconds_now()); }, "there are first");
  check_error([&] { homes.owner.remove("first", seconds_now()); }, "cannot be removed");
  check_error([&] { admit(homes.owner, "second", "second"); }, "is no member any more");
}

BOOST_AUTO_TEST_CASE(an_invitation_to_renew_serves_that_member_only) {
  Homes homes;
  homes.owner.init("first", seconds_now());
  homes.join("second");
  check_error([&] { admit(homes.owner, "third", "second"); }, "renews the certificate of second");
  check_error([&] { homes.owner.check_member("third"); }, "there are first, second");
  homes.owner.check_member("second");
  auto serial = homes.owner.own().serial;
  homes.owner.renew_owner(seconds_now());
  BOOST_TEST(homes.owner.own().serial != serial);
  BOOST_TEST(homes.owner.own().is_owner);
  TlsContext context(homes.owner.files());
}

BOOST_AUTO_TEST_CASE(only_the_owner_admits_and_removes) {
  Homes homes;
  homes.owner.init("first", seconds_now());
  homes.join("second");
  check_error([&] { homes.other.remove("first", seconds_now()); }, "only the machine that made");
  check_error([&] { admit(homes.other, "third"); }, "only the machine that made");
  check_error([&] { homes.other.renew_owner(seconds_now()); }, "invite --renew NAME");
}

BOOST_AUTO_TEST_CASE(an_older_or_foreign_list_takes_no_newer_ones_place) {
  Homes homes;
  homes.owner.init("first", seconds_now());
  homes.join("second");
  auto old = homes.owner.revocation_list();
  BOOST_TEST(!homes.other.sync(old));
  admit(homes.owner, "third");
  homes.owner.remove("third", seconds_now());
  auto newer = homes.owner.revocation_list();
  BOOST_TEST(homes.other.sync(newer));
  BOOST_TEST(!homes.other.sync(newer));
  check_error([&] { homes.other.sync(old); }, "older than number 2");
  Membership foreign(homes.folder / "foreign/cluster");
  foreign.init("foreign", seconds_now());
  check_error([&] { homes.other.sync(foreign.revocation_list()); }, "not this cluster's");
  BOOST_TEST(homes.other.revocation_list() == newer);
}

BOOST_AUTO_TEST_CASE(answers_that_do_not_fit_are_not_stored) {
  Homes homes;
  homes.owner.init("first", seconds_now());
  auto answer = admit(homes.owner, "second");
  check_error([&] { homes.other.accept(answer, make_key(), seconds_now()); }, "another key");
  auto key = make_key();
  answer = homes.owner.admit({"", "third", make_request(key, "third")}, "", seconds_now());
  auto foreign = answer;
  foreign.authority = make_authority({seconds_now() - 1, seconds_now() + day}).certificate;
  check_error([&] { homes.other.accept(foreign, key, seconds_now()); }, "is not good");
  check_error([&] { homes.other.accept(answer, key, seconds_now() + member_validity + day); },
              "expired");
  BOOST_TEST(!fs::exists(homes.other.folder()));
}

BOOST_AUTO_TEST_CASE(files_that_are_broken_or_open_are_named) {
  Homes homes;
  check_error([&] { homes.owner.members(); }, "belongs to no cluster");
  homes.owner.init("first", seconds_now());
  auto list = homes.owner.folder() / "members.json";
  fs::permissions(list, fs::perms{0644});
  check_error([&] { homes.owner.members(); }, "chmod 600");
  fs::permissions(list, fs::perms{0600});
  for (const char* text : {"", "{", "[]", "{\"revocation_lists\":1,\"members\":[{\"name\":1}]}"}) {
    std::ofstream(list) << text;
    check_error([&] { homes.owner.members(); }, list.string());
  }
}

BOOST_AUTO_TEST_SUITE_END()
