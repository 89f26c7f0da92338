/// The files of the page: which there are, and how they are sent.

#include "runtime/serve/page_files.hpp"

#include <algorithm>
#include <fstream>

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include "runtime/console/error.hpp"

using namespace flowspec;
namespace fs = std::filesystem;

namespace {

/// A folder with a page, which is removed again.
struct Folder {
  Folder() { fs::create_directories(path / "base"); }
  ~Folder() { fs::remove_all(path); }
  fs::path write(const std::string& name, const std::string& content) const {
    std::ofstream(path / name) << content;
    return path / name;
  }
  fs::path path = fs::temp_directory_path() / ("flowspec-page-" + std::to_string(::getpid()));
};

}  // namespace

BOOST_AUTO_TEST_SUITE(page_files)

BOOST_AUTO_TEST_CASE(files_have_paths_and_types) {
  Folder folder;
  folder.write("index.html", "<!doctype html>");
  folder.write("base/dom.js", "export {};");
  auto library = folder.write("marked.min.js", "var marked;");
  PageFiles files(folder.path, {{"/vendor/marked.js", library, "node-marked"}});
  BOOST_TEST(files.find("/")->content == "<!doctype html>");
  BOOST_TEST(files.find("/")->content_type == "text/html; charset=utf-8");
  BOOST_TEST(files.find("/page/base/dom.js")->content_type == "text/javascript; charset=utf-8");
  BOOST_TEST(files.find("/vendor/marked.js")->content == "var marked;");
  BOOST_TEST(files.complaint().empty());
}

BOOST_AUTO_TEST_CASE(only_files_of_the_page_are_found) {
  Folder folder;
  folder.write("index.html", "");
  folder.write("README.md", "");
  PageFiles files(folder.path, {});
  for (const char* path : {"", "/page", "/page/", "/page/README.md", "/page/../index.html",
                           "/page//index.html", "/etc/passwd", "/page/../../etc/passwd"})
    BOOST_TEST(files.find(path) == nullptr, path);
}

BOOST_AUTO_TEST_CASE(a_missing_library_is_named_with_the_remedy) {
  Folder folder;
  folder.write("index.html", "");
  PageFiles files(folder.path, {{"/vendor/marked.js", folder.path / "none.js", "node-marked"}});
  BOOST_TEST(files.find("/vendor/marked.js") == nullptr);
  BOOST_TEST(files.complaint().find("apt-get install node-marked") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_folder_without_a_page_is_an_error) {
  Folder folder;
  BOOST_CHECK_THROW(PageFiles(folder.path, {}), RuntimeError);
}

BOOST_AUTO_TEST_CASE(all_files_that_the_page_names_are_there) {
  PageFiles files;
  const std::string& index = files.find("/")->content;
  std::size_t found = 0;
  for (std::size_t at = index.find("=\"/page/"); at != std::string::npos;
       at = index.find("=\"/page/", at + 1)) {
    auto path = index.substr(at + 2, index.find('"', at + 2) - at - 2);
    BOOST_TEST(files.find(path) != nullptr, path);
    ++found;
  }
  BOOST_TEST(found > 3U);
}

BOOST_AUTO_TEST_CASE(no_script_or_style_may_come_from_elsewhere_or_from_the_text) {
  const auto& headers = page_headers();
  auto policy = std::find_if(headers.begin(), headers.end(), [](const auto& header) {
    return header.first == "Content-Security-Policy";
  });
  BOOST_REQUIRE(policy != headers.end());
  BOOST_TEST(policy->second.find("default-src 'none'; script-src 'self'; style-src 'self'") == 0U);
  BOOST_TEST(policy->second.find("unsafe") == std::string::npos);
  // What the policy forbids, the page does not have.
  PageFiles files;
  const std::string& index = files.find("/")->content;
  for (const char* inline_code : {"style=", "<style", "onclick", "<script>"})
    BOOST_TEST(index.find(inline_code) == std::string::npos, inline_code);
}

BOOST_AUTO_TEST_SUITE_END()
