/// Mutual TLS between the programs.

#include <cstdlib>
#include <filesystem>

#include <boost/test/unit_test.hpp>

#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/system/authority.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

namespace {

const Authority& authority() {
  static const Authority authority;
  return authority;
}

Result generate_on(const NodeProcess& node, const Arguments& more) {
  return flowspec_program(Arguments{"generate", "-n", "5", "--model",
                                    (model_folder() / "target.gguf").string(), "--node",
                                    node.address(), "hello"} +
                          more);
}

}  // namespace

BOOST_AUTO_TEST_CASE(tls_on_both_sides_works_and_nothing_else) {
  NodeProcess first("first", model_folder(), authority().options());
  NodeProcess second("second", model_folder(), authority().options());
  auto result = generate_on(
      first, Arguments{"--node", second.address(), "--stages", "2"} + authority().options());
  BOOST_CHECK_MESSAGE(result.exit_code == 0, result.error);

  Authority foreign;
  for (const Arguments& options : {foreign.options(), Arguments{}}) {
    auto refused = generate_on(first, options);
    BOOST_CHECK_MESSAGE(refused.exit_code == 1 && refused.complains(first.address()),
                        "exit code " << refused.exit_code << ": " << refused.error);
  }
  BOOST_CHECK_MESSAGE(generate_on(first, authority().options()).exit_code == 0,
                      "the node does not serve after it refused somebody");

  NodeProcess plain("plain", model_folder());
  BOOST_CHECK(generate_on(plain, authority().options()).exit_code == 1);
  BOOST_CHECK(generate_on(plain, {}).exit_code == 0);
}

BOOST_AUTO_TEST_CASE(bad_certificates_are_told_at_the_start) {
  TempFolder folder;
  write_file(folder / "garbage.pem", "-----BEGIN PRIVATE KEY-----\nnothing\n");
  auto garbage = (folder / "garbage.pem").string();
  auto own = authority().file("own.pem");
  auto key = authority().file("own.key");
  auto ca = authority().file("ca.pem");
  Authority other;
  const std::vector<std::pair<Arguments, std::string>> cases{
      {{"--cert", own, "--key", garbage, "--ca", ca}, garbage},
      {{"--cert", garbage, "--key", key, "--ca", ca}, garbage},
      {{"--cert", own, "--key", key, "--ca", garbage}, garbage},
      {{"--cert", own, "--key", other.file("own.key"), "--ca", ca}, "mismatch"},
      {{"--cert", own, "--key", key, "--ca", other.file("ca.pem")}, "is not accepted"},
      {{"--cert", own}, "all three"},
      {{"--cert", "/dev/zero", "--key", key, "--ca", ca}, "/dev/zero: is no regular file"},
      {{"--cert", own, "--key", folder.path().string(), "--ca", ca}, "is actually a directory"},
      {{"--cert", own, "--key", key, "--ca", "/dev/null"}, "/dev/null: is no regular file"},
      {{"--cert", own, "--key", "/nowhere.key", "--ca", ca}, "/nowhere.key"}};
  for (const auto& [options, text] : cases) {
    Process node(Arguments{program_path("flowspec-node"), "--port", "0"} + options);
    auto code = node.wait(std::chrono::seconds(5));
    BOOST_CHECK_MESSAGE(code == 2 && node.error().find(text) != std::string::npos,
                        "expected \"" << text << "\": " << node.error());
  }
  std::filesystem::permissions(other.file("own.key"), std::filesystem::perms{0644});
  Process open_key(Arguments{program_path("flowspec-node"), "--port", "0"} + other.options());
  BOOST_CHECK(open_key.wait(std::chrono::seconds(5)) == 2);
  BOOST_CHECK_MESSAGE(
      open_key.error().find("chmod 600 " + other.file("own.key")) != std::string::npos,
      open_key.error());
  auto client = flowspec_program(
      {"generate", "hello", "--node", "127.0.0.1:1", "--cert", own, "--key", garbage, "--ca", ca});
  BOOST_CHECK(client.exit_code == 2 && client.complains(garbage));
}

BOOST_AUTO_TEST_CASE(a_certificate_that_was_revoked_is_not_accepted) {
  Authority own;
  own.sign("lost");
  NodeProcess open("open", model_folder(), own.options());
  BOOST_CHECK(generate_on(open, own.options("lost")).exit_code == 0);
  own.revoke("lost");
  NodeProcess node("node", model_folder(), own.options() + Arguments{"--crl", own.file("crl.pem")});
  BOOST_CHECK(generate_on(node, own.options()).exit_code == 0);
  auto refused = generate_on(node, own.options("lost"));
  BOOST_CHECK_MESSAGE(refused.exit_code == 1 && refused.complains("revoked"), refused.error);
}

BOOST_AUTO_TEST_CASE(two_users_meet_only_where_they_share_a_secret) {
  TempFolder folder;
  auto file = [&](const std::string& name) {
    write_file(folder / name, std::string(64, name.front()));
    std::filesystem::permissions(folder / name, std::filesystem::perms{0600});
    return Arguments{"--secret-file", (folder / name).string()};
  };
  auto alice = file("alice");
  auto bob = file("bob");
  NodeProcess node("node", model_folder(), alice);
  BOOST_CHECK(generate_on(node, alice).exit_code == 0);
  for (const auto& stranger : {bob, Arguments{}}) {
    auto refused = generate_on(node, stranger);
    BOOST_CHECK_MESSAGE(refused.exit_code == 1 && refused.complains("--secret-file"),
                        refused.error);
  }
  std::filesystem::permissions(folder / "alice", std::filesystem::perms{0644});
  auto open = generate_on(node, alice);
  BOOST_CHECK_MESSAGE(open.exit_code == 2 && open.complains("chmod 600"), open.error);
}
