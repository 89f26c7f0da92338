/// Hashes of model files that are not read again, and when they are.

#include "models/formats/hash_cache.hpp"

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "models/error.hpp"
#include "models/formats/gguf.hpp"
#include "models/model_hash.hpp"
#include "models/open_model.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/hf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Changes bytes in the middle of the file; its size and its time of modification stay.
void overwrite_secretly(const fs::path& file) {
  const auto time = fs::last_write_time(file);
  {
    std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(-4, std::ios::end);
    out << "!?!?";
  }
  fs::last_write_time(file, time);
}

/// Whether the file had to be read for it.
bool reads(HashCache& cache, const fs::path& file) {
  bool has_read = false;
  cache.get(file, [&](std::uint64_t, std::uint64_t) { has_read = true; });
  return has_read;
}

struct File {
  File() { write_file(path, "the content"); }
  TempFolder folder;
  fs::path path = folder / "model";
};

auto says(const std::string& text) {
  return [text](const ModelError& error) {
    BOOST_TEST_MESSAGE(error.what());
    return std::string(error.what()).find(text) != std::string::npos;
  };
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_known_file_is_not_read_again) {
  const File file;
  HashCache cache;
  BOOST_TEST(cache.get(file.path).hash == hash_file(file.path));
  BOOST_TEST(!reads(cache, file.path));
  // By whatever name.
  fs::create_symlink(file.path, file.folder / "link");
  BOOST_TEST(!reads(cache, file.folder / "link"));
}

BOOST_AUTO_TEST_CASE(a_change_with_the_same_size_and_time_is_noticed) {
  const File file;
  HashCache cache;
  const auto before = cache.get(file.path).hash;
  overwrite_secretly(file.path);
  BOOST_TEST(cache.get(file.path).hash == hash_file(file.path));
  BOOST_TEST(cache.get(file.path).hash != before);
}

BOOST_AUTO_TEST_CASE(another_file_of_that_name_size_and_time_is_noticed) {
  const File file;
  HashCache cache;
  const auto before = cache.get(file.path).hash;
  write_file(file.folder / "other", "THE CONTENT");
  fs::last_write_time(file.folder / "other", fs::last_write_time(file.path));
  fs::rename(file.folder / "other", file.path);
  BOOST_TEST(cache.get(file.path).hash != before);
}

BOOST_AUTO_TEST_CASE(hashes_outlive_the_program) {
  const File file;
  const auto kept = file.folder / "cache/flowspec/hashes";
  HashCache(kept).get(file.path);
  HashCache again(kept);
  BOOST_TEST(!reads(again, file.path));
  // What another program keeps meanwhile is not lost.
  write_file(file.folder / "second", "2");
  write_file(file.folder / "third", "3");
  HashCache(kept).get(file.folder / "second");
  again.get(file.folder / "third");
  HashCache third(kept);
  for (const std::string name : {"model", "second", "third"})
    BOOST_TEST(!reads(third, file.folder / name));
}

BOOST_AUTO_TEST_CASE(a_damaged_cache_only_costs_time) {
  const File file;
  const auto kept = file.folder / "hashes";
  HashCache(kept).get(file.path);
  const auto line = text_of(kept);
  for (const std::string& damaged :
       {std::string("\0\xff rubbish\n\n1 2 3", 17), line.substr(0, line.size() - 5),
        line.substr(0, 20), std::string(300000, '1'), "x" + line}) {
    write_file(kept, damaged);
    HashCache cache(kept);
    BOOST_TEST(reads(cache, file.path));
    BOOST_TEST(cache.get(file.path).hash == hash_file(file.path));
    HashCache mended(kept);
    BOOST_TEST(!reads(mended, file.path));
  }
}

BOOST_AUTO_TEST_CASE(a_cache_that_cannot_be_written_only_costs_time) {
  const File file;
  write_file(file.folder / "no-folder", "");
  fs::create_directory(file.folder / "a-folder");
  for (const std::string place : {"no-folder/hashes", "a-folder", "/proc/flowspec/hashes"}) {
    HashCache cache(file.folder.path() / place);
    BOOST_TEST(cache.get(file.path).hash == hash_file(file.path));
    BOOST_TEST(!reads(cache, file.path));
  }
}

BOOST_AUTO_TEST_CASE(who_wants_a_file_that_is_being_read_waits_for_it) {
  const File file;
  HashCache cache;
  std::latch begun(1);
  std::latch waits(1);
  std::jthread first([&] {
    cache.get(file.path, [&](std::uint64_t, std::uint64_t) {
      begun.count_down();
      waits.wait();
    });
  });
  begun.wait();
  bool told = false;
  auto other = cache.get(file.path, [&](std::uint64_t, std::uint64_t total) {
    BOOST_TEST(total == fs::file_size(file.path));
    if (!std::exchange(told, true))
      waits.count_down();
  });
  BOOST_TEST(told);
  BOOST_TEST(other.hash == hash_file(file.path));
}

BOOST_AUTO_TEST_CASE(who_waits_goes_on_where_the_first_has_stopped) {
  const File file;
  HashCache cache;
  std::latch begun(1);
  std::latch waits(1);
  std::jthread first([&] {
    BOOST_CHECK_THROW(cache.get(file.path,
                                [&](std::uint64_t, std::uint64_t) {
                                  begun.count_down();
                                  waits.wait();
                                  throw std::runtime_error("stopped");
                                }),
                      std::runtime_error);
  });
  begun.wait();
  bool told = false;
  auto other = cache.get(file.path, [&](std::uint64_t, std::uint64_t) {
    if (!std::exchange(told, true))
      waits.count_down();
  });
  BOOST_TEST(other.hash == hash_file(file.path));
}

BOOST_AUTO_TEST_CASE(the_hash_is_that_of_the_open_file) {
  const TempFolder folder;
  write_llama_gguf(folder / "m.gguf", {}, {}, 1);
  HfWriter(GgufFile::open(folder / "m.gguf")).write(folder / "m", 3);
  HashCache cache;
  for (const std::string name : {"m.gguf", "m"}) {
    const auto model = open_model(folder / name);
    BOOST_TEST(hash_model(*model.files, cache) == hash_model(*model.files));
    for (const fs::path& part : model.files->parts()) {
      const auto again = open_model(folder / name);
      fs::copy_file(part, folder / "copy");
      fs::rename(folder / "copy", part);
      BOOST_CHECK_EXCEPTION(hash_model(*again.files, cache), ModelError, says(part.string()));
      // It has the right one still.
      check_unchanged(*again.files);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_was_written_to_while_it_is_open_is_told) {
  const TempFolder folder;
  write_llama_gguf(folder / "m.gguf", {}, {}, 1);
  HashCache cache;
  const auto model = open_model(folder / "m.gguf");
  hash_model(*model.files, cache);
  check_unchanged(*model.files);
  overwrite_secretly(folder / "m.gguf");
  BOOST_CHECK_EXCEPTION(check_unchanged(*model.files), ModelError, says("was changed"));
  BOOST_CHECK_EXCEPTION(hash_model(*model.files, cache), ModelError, says("was changed"));
}

BOOST_AUTO_TEST_CASE(parts_are_hashed_together_and_stop_together) {
  const TempFolder folder;
  write_llama_gguf(folder / "m.gguf", {}, {}, 1);
  HfWriter(GgufFile::open(folder / "m.gguf")).write(folder / "m", 5);
  const auto model = open_model(folder / "m");
  HashCache cache;
  BOOST_CHECK_THROW(hash_model(*model.files, cache,
                               [](std::uint64_t, std::uint64_t) {
                                 throw std::runtime_error("not wanted any more");
                               }),
                    std::runtime_error);
  std::uint64_t last = 0;
  std::uint64_t all = 0;
  for (const fs::path& part : model.files->parts())
    all += fs::file_size(part);
  hash_model(*model.files, cache, [&](std::uint64_t done, std::uint64_t total) {
    BOOST_TEST(done >= last);
    BOOST_TEST(total == all);
    last = done;
  });
  BOOST_TEST(last == all);
}

BOOST_AUTO_TEST_CASE(a_file_that_grows_while_it_is_hashed_is_refused) {
  const File file;
  HashCache cache;
  const auto grow = [&](std::uint64_t, std::uint64_t) {
    std::ofstream(file.path, std::ios::app) << "more";
  };
  BOOST_CHECK_THROW(cache.get(file.path, grow), ModelError);
  BOOST_TEST(cache.get(file.path).hash == hash_file(file.path));
}
