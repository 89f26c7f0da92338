/// The file in which what was learnt of drafts is kept between runs.

#include "models/drafts/draft_cache.hpp"

#include <fstream>
#include <string>

#include <boost/test/unit_test.hpp>

#include "tests/support/temp_folder.hpp"

using namespace flowspec;

namespace {

struct Fixture {
  test::TempFolder folder;
  std::filesystem::path file = folder.path() / "cache" / "drafts";
  DraftCache cache{file};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(draft_cache, Fixture)

BOOST_AUTO_TEST_CASE(numbers_are_found_again_by_name) {
  BOOST_TEST(!cache.find("model+draft").has_value());
  cache.keep("model+draft", {0.5, 0.25, 1, 2});
  cache.keep("model+other", {3, 3, 3, 3});
  cache.keep("model+draft", {0.5, 0.25, 1, 4});
  BOOST_TEST((DraftCache(file).find("model+draft") == DraftCache::Numbers{0.5, 0.25, 1, 4}));
  BOOST_TEST((DraftCache(file).find("model+other") == DraftCache::Numbers{3, 3, 3, 3}));
  BOOST_TEST(!cache.find("model").has_value());
}

BOOST_AUTO_TEST_CASE(lines_that_are_none_are_left_out) {
  cache.keep("a", {1, 2, 3, 4});
  std::ofstream(file, std::ios::app) << "b 1 2 3\nc 1 2 3 4 5\nd one 2 3 4\n\n\0e\n"
                                     << std::string(5000, 'x') << "\nf 4 3 2 1\n";
  for (const char* damaged : {"b", "c", "d", ""})
    BOOST_TEST(!cache.find(damaged).has_value());
  BOOST_TEST(cache.find("a").has_value());
  BOOST_TEST(cache.find("f").has_value());
}

BOOST_AUTO_TEST_CASE(the_file_stays_small_and_keeps_the_latest) {
  for (int i = 0; i < 250; ++i)
    cache.keep("pair" + std::to_string(i), {1, 1, 1, 1});
  BOOST_TEST(!cache.find("pair0").has_value());
  BOOST_TEST(cache.find("pair249").has_value());
  BOOST_TEST(std::filesystem::file_size(file) < 200U * 300U);
}

BOOST_AUTO_TEST_CASE(without_a_file_nothing_is_kept) {
  const DraftCache nowhere({});
  nowhere.keep("a", {1, 1, 1, 1});
  BOOST_TEST(!nowhere.find("a").has_value());
  // Where no file can be, neither.
  std::filesystem::create_directories(file);
  cache.keep("a", {1, 1, 1, 1});
  BOOST_TEST(!cache.find("a").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
