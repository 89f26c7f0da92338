/// The models of a node: files and folders by name, hashed once.

#define BOOST_TEST_MODULE unit_model_library

#include "actors/model_library.hpp"

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/error.hpp"
#include "models/formats/gguf.hpp"
#include "models/open_model.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/hf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// A GGUF file and a folder, some levels deep.
struct Models {
  Models() {
    std::filesystem::create_directories(folder / "a/b");
    write_llama_gguf(folder / "a/b/small.gguf", {}, {}, 1);
    HfWriter(GgufFile::open(folder / "a/b/small.gguf")).write(folder / "a/b/small-hf", 2);
  }

  TempFolder folder;
};

bool says_where(const ModelError& error) {
  const std::string text = error.what();
  BOOST_TEST_MESSAGE(text);
  return text.find("has no model ") != std::string::npos &&
         text.find("flowspec-test-") != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(files_and_folders_are_found_by_name) {
  const Models models;
  const ModelLibrary library({models.folder.path()});
  BOOST_TEST(library.find("small.gguf") == models.folder / "a/b/small.gguf");
  BOOST_TEST(library.find("small-hf") == models.folder / "a/b/small-hf");
  const ModelLibrary near({models.folder / "a/b"});
  BOOST_TEST(near.find("small-hf") == models.folder / "a/b/small-hf");
}

BOOST_AUTO_TEST_CASE(the_folder_of_a_node_may_be_the_model) {
  const Models models;
  for (const std::string suffix : {"", "/"}) {
    const ModelLibrary library({(models.folder / "a/b/small-hf").string() + suffix});
    BOOST_TEST(open_model(library.find("small-hf")).config.layers == 2U);
  }
}

BOOST_AUTO_TEST_CASE(folders_without_a_model_are_not_found) {
  const Models models;
  const ModelLibrary library({models.folder.path()});
  BOOST_CHECK_EXCEPTION(library.find("b"), ModelError, says_where);
  BOOST_CHECK_EXCEPTION(library.find("other.gguf"), ModelError, says_where);
}

BOOST_AUTO_TEST_CASE(hashes_follow_changes) {
  const Models models;
  ModelLibrary library({models.folder.path()});
  for (const std::string name : {"small.gguf", "small-hf"}) {
    const OpenModel model = open_model(library.find(name));
    int calls = 0;
    const auto count = [&](std::uint64_t, std::uint64_t) { ++calls; };
    const std::string hash = library.hash(*model.files, count);
    BOOST_TEST(hash == hash_model(*model.files));
    BOOST_TEST(calls > 0);
    // What has not changed is not read again.
    calls = 0;
    BOOST_TEST(library.hash(*model.files, count) == hash);
    BOOST_TEST(calls == 0);
  }
  const auto config = models.folder / "a/b/small-hf/config.json";
  const OpenModel model = open_model(library.find("small-hf"));
  const std::string before = library.hash(*model.files);
  write_file(config, "{}");
  BOOST_TEST(library.hash(*model.files) != before);
}
