/// Model files that are cut or overwritten while they are read.

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/base/error.hpp"
#include "models/drafts/eagle_head.hpp"
#include "models/formats/file_mapping.hpp"
#include "models/formats/gguf.hpp"
#include "models/formats/mapping_guard.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/layers/lm_head.hpp"
#include "models/open_model.hpp"
#include "tests/support/eagle_files.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/hf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace fs = std::filesystem;

namespace {

/// A model whose tensors lie on many pages, as a file and as a folder.
struct Models {
  Models() {
    LlamaShape shape;
    shape.layers = 4;
    write_llama_gguf(folder / "m.gguf", shape, {}, 1);
    HfWriter(GgufFile::open(folder / "m.gguf")).write(folder / "m", 2);
  }
  TempFolder folder;
};

/// Leaves the first page of every weight file.
void cut(const ModelFiles& files) {
  for (const fs::path& part : files.parts())
    if (part.extension() != ".json")
      fs::resize_file(part, 4096);
}

/// The guard lives in the test case: between test cases the framework has its own handlers.
void check_refused(const std::function<void()>& read, const std::string& name) {
  guard_mapped_files();
  try {
    read();
  } catch (const ModelError& e) {
    const std::string text = e.what();
    BOOST_TEST(text.find(name) != std::string::npos, text);
    BOOST_TEST(text.find("was changed while it was read") != std::string::npos, text);
    return;
  }
  BOOST_ERROR("no ModelError for " << name);
}

/// How a child process ends that calls `action`: 128 + signal, or its exit code.
int end_of_child(const std::function<void()>& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    // The framework's handler would report the signal as a failed test.
    std::signal(SIGBUS, SIG_DFL);
    action();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(changed_files)

BOOST_AUTO_TEST_CASE(a_stage_whose_file_is_cut_between_two_layers_is_refused) {
  for (const std::string name : {"m.gguf", "m"}) {
    const Models models;
    const auto model = open_model(models.folder / name);
    bool is_cut = false;
    check_refused(
        [&] {
          const CpuStageModel stage(*model.files, model.config, {{0, 4}},
                                    [&](std::uint64_t, std::uint64_t) {
                                      if (!std::exchange(is_cut, true))
                                        cut(*model.files);
                                    });
        },
        (models.folder / name).string());
    BOOST_TEST(is_cut);
  }
}

BOOST_AUTO_TEST_CASE(a_stage_or_head_whose_file_was_cut_before_it_is_read_is_refused) {
  for (const std::string name : {"m.gguf", "m"}) {
    const Models models;
    const auto model = open_model(models.folder / name);
    cut(*model.files);
    check_refused(
        [&] {
          const CpuStageModel stage(*model.files, model.config, {{0, 4}});
        },
        (models.folder / name).string());
    check_refused([&] { const LmHead head(*model.files, model.config, 1, 8); },
                  (models.folder / name).string());
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_was_cut_and_written_again_is_refused) {
  const Models models;
  const auto path = models.folder / "m.gguf";
  const auto model = open_model(path);
  guard_mapped_files();
  const auto size = fs::file_size(path);
  const auto time = fs::last_write_time(path);
  fs::copy_file(path, models.folder / "copy");
  fs::resize_file(path, 4096);
  check_refused([&] { const LmHead head(*model.files, model.config, 1, 8); }, path.string());
  std::ofstream(path, std::ios::binary) << std::ifstream(models.folder / "copy").rdbuf();
  fs::last_write_time(path, time);
  BOOST_TEST(fs::file_size(path) == size);
  check_refused([&] { const LmHead head(*model.files, model.config, 1, 8); }, path.string());
}

BOOST_AUTO_TEST_CASE(an_eagle_head_whose_file_is_changed_while_it_is_read_is_refused) {
  const TempFolder folder;
  write_llama_gguf(folder / "m.gguf", {}, {}, 1);
  const auto model = open_model(folder / "m.gguf");
  fs::create_directory(folder / "eagle");
  EagleFiles({}, 1).write(folder / "eagle");
  const auto weights = folder / "eagle/model.safetensors";
  std::atomic<bool> is_over = false;
  std::jthread writer([&] {
    for (int i = 0; !is_over; ++i)
      fs::last_write_time(weights, fs::file_time_type(std::chrono::seconds(i)));
  });
  // It may be that nothing was written meanwhile; not every time.
  bool is_refused = false;
  for (int tries = 0; tries < 2000 && !is_refused; ++tries) {
    try {
      const EagleHead head(weights, LmHead(*model.files, model.config, 1, 8), 1, 8);
    } catch (const ModelError& e) {
      is_refused = std::string(e.what()).starts_with(weights.string() + ": was changed while");
      BOOST_TEST(is_refused, e.what());
      break;
    }
  }
  is_over = true;
  BOOST_TEST(is_refused);
}

BOOST_AUTO_TEST_CASE(pages_before_the_cut_keep_their_bytes) {
  const TempFolder folder;
  const auto path = folder / "file";
  write_file(path, std::string(40000, 'x'));
  guard_mapped_files();
  const FileMapping mapping(path);
  const FileMapping other(path);
  fs::resize_file(path, 8192);
  BOOST_TEST((mapping.bytes()[39999] == std::byte{}));
  BOOST_TEST((mapping.bytes()[20000] == std::byte{}));
  BOOST_TEST((mapping.bytes()[8191] == std::byte{'x'}));
  BOOST_TEST((other.bytes()[8192] == std::byte{}));
  BOOST_TEST((other.bytes()[0] == std::byte{'x'}));
}

BOOST_AUTO_TEST_CASE(other_bus_errors_end_the_process_as_ever) {
  const TempFolder folder;
  const auto path = folder / "file";
  write_file(path, std::string(40000, 'x'));
  BOOST_TEST(end_of_child([] {
               guard_mapped_files();
               ::raise(SIGBUS);
             }) == 128 + SIGBUS);
  BOOST_TEST(end_of_child([&] {
               guard_mapped_files();
               // Mapped by somebody else.
               const int fd = ::open(path.c_str(), O_RDONLY);
               const auto* bytes = static_cast<const volatile char*>(
                   ::mmap(nullptr, 40000, PROT_READ, MAP_PRIVATE, fd, 0));
               ::truncate(path.c_str(), 4096);
               static_cast<void>(bytes[39999]);
             }) == 128 + SIGBUS);
}

BOOST_AUTO_TEST_SUITE_END()
