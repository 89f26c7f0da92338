/// Hashes of model files that are not read again, and when they are.

#include "models/formats/hash_cache.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
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

/// Somebody else who reads the file, and does not end before he is told.
class SlowReader {
 public:
  SlowReader(HashCache& cache, const fs::path& file)
      : thread_([this, &cache, file] {
          cache.get(file, [this](std::uint64_t, std::uint64_t) {
            begun_.count_down();
            told_.wait();
          });
        }) {
    begun_.wait();
  }
  ~SlowReader() { go_on(); }
  SlowReader(const SlowReader&) = delete;
  SlowReader& operator=(const SlowReader&) = delete;

  void go_on() {
    if (!std::exchange(goes_on_, true))
      told_.count_down();
  }

 private:
  std::latch begun_{1};
  std::latch told_{1};
  bool goes_on_ = false;
  std::jthread thread_;
};

/// The folder of a model in several files.
struct PartedModel {
  PartedModel() {
    write_llama_gguf(folder / "m.gguf", {}, {}, 1);
    HfWriter(GgufFile::open(folder / "m.gguf")).write(folder / "m", 5);
    files = open_model(folder / "m").files;
    for (const fs::path& part : files->parts())
      bytes += fs::file_size(part);
  }
  TempFolder folder;
  std::shared_ptr<const ModelFiles> files;
  std::uint64_t bytes = 0;
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

BOOST_AUTO_TEST_CASE(a_touched_file_is_read_again_and_has_the_same_hash) {
  const File file;
  HashCache cache;
  const auto before = cache.get(file.path).hash;
  fs::last_write_time(file.path, fs::last_write_time(file.path) + std::chrono::seconds(3));
  BOOST_TEST(reads(cache, file.path));
  BOOST_TEST(cache.get(file.path).hash == before);
  BOOST_TEST(!reads(cache, file.path));
}

BOOST_AUTO_TEST_CASE(names_of_one_file_are_read_once) {
  const File file;
  fs::create_hard_link(file.path, file.folder / "other");
  HashCache cache;
  BOOST_TEST(reads(cache, file.path));
  BOOST_TEST(!reads(cache, file.folder / "other"));
  // What is written by one name shows by the other.
  const auto before = cache.get(file.path).hash;
  overwrite_secretly(file.folder / "other");
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
        line.substr(0, 20), std::string(300000, '1'), "x" + line,
        line + std::string(300000, '\n')}) {
    write_file(kept, damaged);
    HashCache cache(kept);
    BOOST_TEST(reads(cache, file.path));
    BOOST_TEST(cache.get(file.path).hash == hash_file(file.path));
    HashCache mended(kept);
    BOOST_TEST(!reads(mended, file.path));
  }
}

BOOST_AUTO_TEST_CASE(a_cache_forgets_what_was_changed_longest_ago) {
  const File file;
  const auto kept = file.folder / "hashes";
  HashCache(kept).get(file.path);
  std::string lines = text_of(kept);
  for (int inode = 0; inode < 1200; ++inode)
    lines += "1 " + std::to_string(inode) + " 3 4 " + std::to_string(inode) + " " +
             std::string(32, 'a') + "\n";
  write_file(kept, lines);
  write_file(file.folder / "second", "2");
  HashCache(kept).get(file.folder / "second");
  const auto text = text_of(kept);
  BOOST_TEST(std::ranges::count(text, '\n') == 1000);
  BOOST_TEST(text.find("\n1 1199 3 4 1199 ") != std::string::npos);
  BOOST_TEST(text.find("\n1 100 3 4 100 ") == std::string::npos);
  HashCache again(kept);
  for (const std::string name : {"model", "second"})
    BOOST_TEST(!reads(again, file.folder / name));
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
  SlowReader first(cache, file.path);
  int times = 0;
  auto other = cache.get(file.path, [&](std::uint64_t, std::uint64_t total) {
    BOOST_TEST(total == fs::file_size(file.path));
    if (++times == 3)
      first.go_on();
  });
  // Whoever reads so small a file is told once.
  BOOST_TEST(times >= 3);
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
    }
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_was_written_to_while_it_is_open_is_told) {
  const TempFolder folder;
  write_llama_gguf(folder / "m.gguf", {}, {}, 1);
  HashCache cache;
  const auto model = open_model(folder / "m.gguf");
  hash_model(*model.files, cache);
  model.files->check_unchanged();
  overwrite_secretly(folder / "m.gguf");
  BOOST_CHECK_EXCEPTION(model.files->check_unchanged(), ModelError, says("was changed"));
  BOOST_CHECK_EXCEPTION(hash_model(*model.files, cache), ModelError, says("was changed"));
}

BOOST_AUTO_TEST_CASE(progress_is_that_of_all_parts) {
  const PartedModel model;
  HashCache cache;
  BOOST_CHECK_THROW(hash_model(*model.files, cache,
                               [](std::uint64_t, std::uint64_t) {
                                 throw std::runtime_error("not wanted any more");
                               }),
                    std::runtime_error);
  std::uint64_t last = 0;
  hash_model(*model.files, cache, [&](std::uint64_t done, std::uint64_t total) {
    BOOST_TEST(done >= last);
    BOOST_TEST(total == model.bytes);
    last = done;
  });
  BOOST_TEST(last == model.bytes);
}

BOOST_AUTO_TEST_CASE(parts_are_hashed_side_by_side) {
  const PartedModel model;
  HashCache cache;
  SlowReader other(cache, model.files->parts().front());
  bool others_are_done = false;
  int times = 0;
  hash_model(*model.files, cache, [&](std::uint64_t done, std::uint64_t) {
    // Of the first one all is read, but nobody knows its hash.
    others_are_done |= done == model.bytes && times < 50;
    if (others_are_done || ++times == 50)
      other.go_on();
  });
  BOOST_TEST(others_are_done);
}

BOOST_AUTO_TEST_CASE(who_stops_stops_all_parts) {
  const PartedModel model;
  HashCache cache;
  const fs::path first = model.files->parts().front();
  SlowReader other(cache, first);
  bool has_stopped = false;
  int times = 0;
  BOOST_CHECK_THROW(hash_model(*model.files, cache,
                               [&](std::uint64_t done, std::uint64_t) {
                                 const bool is_of_another = done != fs::file_size(first);
                                 if (is_of_another && !std::exchange(has_stopped, true))
                                   throw std::runtime_error("not wanted any more");
                                 if (++times == 50)
                                   other.go_on();
                               }),
                    std::runtime_error);
  // Nobody has waited for the first part.
  BOOST_TEST(times < 50);
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
