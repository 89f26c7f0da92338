/// What a node knows of its own speed: measured for the model's layers, and kept on disk.

#include "actors/cluster/layer_speed.hpp"

#include <fstream>
#include <sstream>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

constexpr LayerSpeed some_speed{2, 1000, 10, 100, 1000};

struct Fixture {
  Fixture() { write_llama_gguf(folder / "m.gguf", {}, {}, 1); }

  OpenModel model() const { return open_model(folder / "m.gguf"); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder / name) << text;
  }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder / name).rdbuf();
    return text.str();
  }

  TempFolder folder;
  MemoryLedger plenty{{[] { return std::uint64_t{1} << 40U; }, [] { return std::uint64_t{0}; }}};
  MemoryLedger none{{[] { return std::uint64_t{1}; }, [] { return std::uint64_t{0}; }}};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(layers_are_measured_with_one_sixteen_and_sixty_four_rows, Fixture) {
  auto open = model();
  auto speed = measure_layers(open, 1, plenty);
  BOOST_TEST(speed.threads == 1U);
  BOOST_TEST(speed.layer_bytes == CpuStageModel::stored_bytes(*open.files, open.config, {1, 2}));
  BOOST_TEST(speed.row_ns > 0U);
  // 64 times the work, of which none can be shared but the reading.
  BOOST_TEST(speed.rows64_ns > speed.row_ns);
  BOOST_TEST(speed.rows16_ns > 0U);
  BOOST_TEST(plenty.promised() == 0U);
}

BOOST_FIXTURE_TEST_CASE(without_memory_for_a_layer_nothing_is_measured, Fixture) {
  BOOST_CHECK_THROW(measure_layers(model(), 1, none), ModelError);
}

BOOST_FIXTURE_TEST_CASE(a_known_speed_is_not_measured_again, Fixture) {
  SpeedBook book(folder / "speeds");
  book.store(speed_key(model(), 2), some_speed);
  // It could not measure: there is no memory.
  BOOST_CHECK(book.get(model(), 2, none) == some_speed);
  BOOST_CHECK_THROW(book.get(model(), 3, none), ModelError);
}

BOOST_FIXTURE_TEST_CASE(a_measured_speed_is_found_by_the_next_process, Fixture) {
  auto measured = SpeedBook(folder / "speeds").get(model(), 1, plenty);
  BOOST_CHECK(SpeedBook(folder / "speeds").get(model(), 1, none) == measured);
}

BOOST_FIXTURE_TEST_CASE(processes_add_to_one_file, Fixture) {
  SpeedBook one(folder / "speeds");
  SpeedBook other(folder / "speeds");
  one.store("a", some_speed);
  other.store("b", {1, 2, 3, 4, 5});
  BOOST_CHECK(one.find("b") == LayerSpeed({1, 2, 3, 4, 5}));
  BOOST_CHECK(SpeedBook(folder / "speeds").find("a") == some_speed);
}

BOOST_FIXTURE_TEST_CASE(damaged_lines_of_the_file_are_passed_over, Fixture) {
  write("speeds",
        "nonsense\n1 2 3 4\n0 2 3 4 5 no threads\n1 0 3 4 5 no bytes\n1 2 0 4 5 no time\n"
        "1 2 3 4 99999999999999999 too long\n-1 2 3 4 5 negative\n1 2 3 4 5 right\n");
  SpeedBook book(folder / "speeds");
  for (const char* key : {"no threads", "no bytes", "no time", "too long", "negative", ""})
    BOOST_CHECK(!book.find(key));
  BOOST_CHECK(book.find("right") == LayerSpeed({1, 2, 3, 4, 5}));
  book.store("other", some_speed);
  BOOST_TEST(read("speeds") == "2 1000 10 100 1000 other\n1 2 3 4 5 right\n");
}

BOOST_FIXTURE_TEST_CASE(another_processor_thread_count_or_shape_is_measured_for_itself, Fixture) {
  write("x86", "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t: fpu\n");
  write("arm", "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n");
  auto key = speed_key(model(), 2, folder / "x86");
  BOOST_TEST(key.find("Some CPU @ 3 GHz, ") == 0U);
  BOOST_TEST(key.find("2 threads") != std::string::npos);
  BOOST_TEST(key == speed_key(model(), 2, folder / "x86"));
  BOOST_TEST(key != speed_key(model(), 1, folder / "x86"));
  BOOST_TEST(speed_key(model(), 2, folder / "arm").find("0xd0b, ") == 0U);
  BOOST_TEST(speed_key(model(), 2, folder / "none").find("unknown processor, ") == 0U);
  LlamaShape wide;
  wide.ffn_size *= 2;
  write_llama_gguf(folder / "wide.gguf", wide, {}, 1);
  BOOST_TEST(speed_key(open_model(folder / "wide.gguf"), 2, folder / "x86") != key);
}
