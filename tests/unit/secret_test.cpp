/// The secret of a user: made once, read by nobody else.

#include "actors/cluster/wire/secret.hpp"

#include <filesystem>
#include <fstream>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "actors/cluster/wire/wire_error.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace fs = std::filesystem;

namespace {

void check_refused(const fs::path& file, const std::string& part) {
  BOOST_CHECK_EXCEPTION(
      read_secret(file), WireError,
      [&](const WireError& e) {
        BOOST_TEST_MESSAGE(e.what());
        return std::string(e.what()).find(part) != std::string::npos;
      });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(secrets)

BOOST_AUTO_TEST_CASE(programs_that_start_at_once_make_one_secret) {
  TempFolder folder;
  auto file = folder / "of/nobody/yet/secret";
  std::vector<std::thread> threads;
  std::array<Secret, 8> secrets;
  for (auto& secret : secrets)
    threads.emplace_back([&] { secret = user_secret(file); });
  for (auto& thread : threads)
    thread.join();
  for (const auto& secret : secrets) {
    BOOST_CHECK(secret.key == secrets.front().key);
    BOOST_CHECK(secret.identity == secrets.front().identity);
  }
  BOOST_CHECK(fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  // No drafts are left.
  BOOST_CHECK(std::distance(fs::directory_iterator(file.parent_path()), {}) == 1);
  BOOST_CHECK(user_secret(folder / "other").key != secrets.front().key);
}

BOOST_AUTO_TEST_CASE(files_that_are_no_secret_are_refused_by_name) {
  TempFolder folder;
  auto file = folder / "secret";
  check_refused(file, file.string());
  std::ofstream(file) << "short";
  fs::permissions(file, fs::perms{0600});
  check_refused(file, "has 5 bytes");
  std::ofstream(file) << std::string(64, 'x');
  read_secret(file);
  fs::permissions(file, fs::perms{0640});
  read_secret(file);  // shared with a group
  for (auto open : {0644, 0620, 0602}) {
    fs::permissions(file, fs::perms(open));
    check_refused(file, "chmod 600");
  }
  check_refused("/dev/null", "is no regular file");
  check_refused(folder.path(), "is no regular file");
}

BOOST_AUTO_TEST_CASE(where_no_secret_can_be_made_the_way_out_is_told) {
  BOOST_CHECK_EXCEPTION(
      user_secret("/proc/no/secret"), WireError,
      [](const WireError& e) {
        return std::string(e.what()).find("--secret-file") != std::string::npos;
      });
}

BOOST_AUTO_TEST_SUITE_END()
