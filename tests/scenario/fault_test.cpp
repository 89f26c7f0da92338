/// Emulated devices are lost in mid-text: what the pauses cost in virtual time, and that the text stays.

#include <filesystem>
#include <fstream>

#include <boost/test/unit_test.hpp>

#include "runtime/bench/runner.hpp"
#include "runtime/cluster/profile.hpp"
#include "runtime/console/error.hpp"
#include "runtime/run/embedded.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;

namespace {

/// A forward of 64 rows takes as long as one of a single row.
constexpr const char* devices = R"({
  "device": {"memory_gb_per_s": 1, "memory_efficiency": 1, "tflops": 100, "overhead_ms": 0},
  "model": {"hidden": 256, "layers": 8, "ffn": 512, "heads": 4, "kv_heads": 4, "vocab": 2048,
            "bytes_per_weight": 2},
  "stages": 4, "draft": {"layers": 1}, "link": {"mbps": 1000, "latency_ms": 1},
  "measured": {"stage_ms": 20, "draft_ms": 5, "head_ms": 5}
})";

class Devices {
 public:
  Devices() : file_(folder_ / "devices.json") { std::ofstream(file_) << devices; }

  BenchCase losing(const std::string& faults, const std::string& mode, std::uint32_t tokens) const {
    BenchCase what;
    what.mode = mode;
    what.profile = file_;
    what.max_tokens = tokens;
    for (std::size_t begin = 0; begin < faults.size();) {
      auto end = std::min(faults.find(',', begin), faults.size());
      what.faults.push_back(parse_fault(faults.substr(begin, end - begin)));
      begin = end + 1;
    }
    return what;
  }

 private:
  test::TempFolder folder_;
  std::filesystem::path file_;
};

/// Throws if a disturbed text is not the undisturbed one.
BenchRun run(const BenchCase& what, std::uint32_t count = 1) {
  auto file = embedded_file("heldout.jsonl");
  return run_virtual(what, take_prompts(read_prompts(file), file.string(), count, count));
}

const FaultedText& text_of(const BenchRun& run, FaultWay way) {
  for (const FaultedText& text : run.faulted)
    if (text.way == way)
      return text;
  throw std::runtime_error("there is no such text");
}

}  // namespace

BOOST_AUTO_TEST_CASE(
    replay_pauses_for_less_than_reading_again_and_that_for_less_than_from_the_start) {
  const Devices devices;
  for (const char* mode : {"ar", "flowspec"})
    for (const char* fault : {"kill:stage1@600ms", "kill:stage2@600ms", "kill:stage3@610ms"}) {
      auto result = run(devices.losing(fault, mode, 100));
      BOOST_REQUIRE_EQUAL(result.faulted.size(), 3U);
      auto pause = [&](FaultWay way) { return text_of(result, way).pause_s; };
      BOOST_TEST_MESSAGE(mode << " " << fault << ": " << pause(FaultWay::replay) << ", "
                              << pause(FaultWay::without_log) << ", "
                              << pause(FaultWay::full_read));
      BOOST_TEST(pause(FaultWay::replay) < pause(FaultWay::without_log));
      BOOST_TEST(pause(FaultWay::without_log) <= pause(FaultWay::full_read));
      for (const FaultedText& text : result.faulted) {
        BOOST_TEST(text.tokens == result.prompts[0].tokens);
        BOOST_TEST(text.undisturbed_s == result.prompts[0].decode_s);
      }
      if (std::string(mode) == "ar") {
        // Without guesses nothing makes up for the pause.
        for (const FaultedText& text : result.faulted)
          BOOST_TEST(text.decode_s > text.undisturbed_s);
      }
    }
}

BOOST_AUTO_TEST_CASE(the_pause_of_plain_decoding_is_what_its_parts_take) {
  const Devices devices;
  auto what = devices.losing("kill:stage1@2s", "ar", 60);
  auto profile = read_profile(what.profile);
  auto result = run(what);
  const auto& replay = text_of(result, FaultWay::replay);
  auto hop = profile.link_seconds(profile.row_bytes());
  auto trip =
      profile.link_seconds(24) + 4 * (profile.stage_seconds(2, 1) + hop) + profile.head_seconds(1);
  // Noticing, parting, connecting, making, loading and binding travel 15 ways. Then the text's rows are
  // sent to the new stage, at most 64 at a time, and the root goes its way once more.
  auto rows = result.prompts[0].prompt_tokens + 60;
  auto replayed = profile.link_seconds(profile.row_bytes() * rows) +
                  profile.stage_seconds(2, 64) * ((rows + 63) / 64);
  BOOST_TEST(replay.pause_s > 15 * 0.001 + profile.stage_seconds(2, 64) + trip / 2);
  BOOST_TEST(replay.pause_s < 15 * 0.001 + profile.stage_seconds(2, 1) + replayed + trip + 0.01);
}

BOOST_AUTO_TEST_CASE(with_replay_the_stages_that_are_left_have_less_to_compute) {
  const Devices devices;
  // More than 100 tokens: two forwards at least for each stage that reads them again.
  auto result = run(devices.losing("kill:stage2@9s", "ar", 200));
  auto busy = [&](FaultWay way) { return text_of(result, way).stages_s; };
  auto forward = read_profile(result.what.profile).stage_seconds(2, 64);
  BOOST_TEST(busy(FaultWay::replay) + forward < busy(FaultWay::without_log));
}

BOOST_AUTO_TEST_CASE(any_stage_can_be_lost_in_every_mode) {
  const Devices devices;
  for (const char* mode : {"ar", "chunk-pp", "pruned-pp", "pipedec", "chain-pp", "flowspec"})
    for (const char* fault : {"kill:stage0@500ms", "kill:stage3@500ms"})
      BOOST_TEST(run(devices.losing(fault, mode, 40)).faulted.size() == 3U, mode << " " << fault);
}

BOOST_AUTO_TEST_CASE(devices_are_lost_one_after_another_and_at_once) {
  const Devices devices;
  for (const char* faults :
       {"kill:stage1@500ms,kill:stage2@500ms", "kill:stage1@500ms,kill:stage2@530ms",
        "kill:stage2@400ms,kill:stage0@800ms", "kill:stage2@400ms,kill:stage2@800ms"}) {
    auto result = run(devices.losing(faults, "flowspec", 80));
    BOOST_TEST(result.faulted.size() == 3U, faults);
  }
}

BOOST_AUTO_TEST_CASE(a_loss_costs_the_same_in_every_run) {
  const Devices devices;
  auto what = devices.losing("kill:stage2@400ms", "flowspec", 40);
  BOOST_CHECK(run(what).faulted == run(what).faulted);
}

BOOST_AUTO_TEST_CASE(texts_that_end_before_the_loss_are_not_counted) {
  const Devices devices;
  auto what = devices.losing("kill:stage2@600s", "ar", 20);
  test::check_throws<RuntimeError>([&] { run(what); }, {"was never reached", "--max-tokens"});
}

BOOST_AUTO_TEST_CASE(a_stage_that_there_is_not_cannot_be_lost) {
  const Devices devices;
  auto what = devices.losing("kill:stage4@1s", "ar", 20);
  test::check_throws<RuntimeError>([&] { run(what); }, {"there are 4 stages, stage0 to stage3"});
  what.stages = 5;
  BOOST_CHECK_NO_THROW(run(what));
}

BOOST_AUTO_TEST_CASE(a_device_that_has_the_draft_too_cannot_be_lost) {
  BenchCase what;
  what.profile = "desk-8b";
  what.max_tokens = 20;
  what.faults = {parse_fault("kill:stage3@1s")};
  test::check_throws<RuntimeError>([&] { run(what); }, {"name another stage"});
  what.faults = {parse_fault("kill:stage1@500ms")};
  BOOST_TEST(run(what).faulted.size() == 3U);
}
