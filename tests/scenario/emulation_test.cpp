/// Emulated devices and links: what they cost in virtual time, and that they change no text.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <nlohmann/json.hpp>

#include "actors/emulation/link.hpp"
#include "actors/emulation/timing.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/type_ids.hpp"
#include "models/formats/gguf.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "runtime/bench/runner.hpp"
#include "runtime/cluster/profile.hpp"
#include "runtime/console/error.hpp"
#include "runtime/run/embedded.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/plain_decoding.hpp"
#include "tests/support/temp_folder.hpp"

namespace {

using namespace flowspec;
using Kind = TraceEvent::Kind;

struct Outcome {
  BenchRun run;
  std::vector<TraceEvent> trace;
  std::vector<std::vector<Token>> texts;
};

std::vector<BenchPrompt> prompts(std::uint32_t count) {
  auto file = embedded_file("heldout.jsonl");
  return take_prompts(read_prompts(file), file.string(), count, count);
}

BenchCase make_case(const std::string& mode, std::uint32_t tokens) {
  BenchCase what;
  what.mode = mode;
  what.profile = "paper-7b";
  what.max_tokens = tokens;
  return what;
}

Outcome run_case(const BenchCase& what, std::uint32_t prompt_count = 1) {
  Outcome outcome;
  outcome.run = run_virtual(what, prompts(prompt_count), {&outcome.trace, &outcome.texts});
  return outcome;
}

/// A flowspec run that several tests check.
const Outcome& speculative() {
  static const auto outcome = run_case(make_case("flowspec", 40), 2);
  return outcome;
}

std::vector<TraceEvent> events(const Outcome& outcome, Kind kind, const std::string& device,
                               const std::string& to = {}) {
  std::vector<TraceEvent> found;
  for (const TraceEvent& event : outcome.trace)
    if (event.kind == kind && event.device == device && event.to == to)
      found.push_back(event);
  return found;
}

bool same_time(double a, double b) {
  return std::abs(a - b) < 1e-9;
}

/// In f16, as paper-7b says.
std::vector<Token> plain_text(const BenchPrompt& prompt, std::size_t count,
                              HiddenType type = HiddenType::f16) {
  auto file = embedded_file("target.gguf");
  auto tokens = Tokenizer::from_gguf(GgufFile::open(file)).encode(prompt.text);
  return test::plain_decoding(file, tokens, count, {}, type);
}

/// The devices of paper-7b, but draft and verifier share that of the first or last stage.
class SharedDevice {
 public:
  explicit SharedDevice(const std::string& stage) : file_(folder_.path() / "shared.json") {
    std::ifstream in(test::source_path("config/paper-7b.json"));
    auto json = nlohmann::json::parse(in, nullptr, true, true);
    json["draft"]["on_stage"] = stage;
    std::ofstream(file_) << json;
  }
  BenchCase make_case(const std::string& mode, std::uint32_t tokens) const {
    auto what = ::make_case(mode, tokens);
    what.profile = file_;
    return what;
  }

 private:
  test::TempFolder folder_;
  std::filesystem::path file_;
};

void check_one_at_a_time(const std::vector<TraceEvent>& work) {
  double free_at = 0;
  for (const TraceEvent& event : work) {
    BOOST_TEST(event.start_s >= free_at - 1e-9);
    free_at = std::max(free_at, event.end_s);
  }
}

/// What one device did, if it has these names in the trace.
std::vector<TraceEvent> work_of(const Outcome& outcome, const std::vector<std::string>& names) {
  std::vector<TraceEvent> work;
  for (const TraceEvent& event : outcome.trace)
    if (std::ranges::find(names, event.device) != names.end() && event.kind != Kind::transfer &&
        event.kind != Kind::prune)
      work.push_back(event);
  return work;
}

}  // namespace

BOOST_AUTO_TEST_CASE(there_may_be_more_stages_than_the_small_model_has_layers) {
  auto profile = read_profile("paper-7b");
  auto what = make_case("ar", 20);
  what.stages = 16;
  auto outcome = run_case(what);
  auto hop = profile.link_seconds(profile.row_bytes());
  auto per_token =
      profile.link_seconds(24) + 16 * (profile.stage_seconds(2, 1) + hop) + profile.head_seconds(1);
  BOOST_TEST(std::abs(outcome.run.prompts.at(0).decode_s - 19 * per_token) < 1e-6);
  what.mode = "flowspec";
  BOOST_TEST((run_case(what).texts == outcome.texts));
  BOOST_TEST((run_case(make_case("ar", 20)).texts == outcome.texts));
}

BOOST_AUTO_TEST_CASE(plain_decoding_costs_every_stage_hop_and_head_to_the_microsecond) {
  auto profile = read_profile("paper-7b");
  auto outcome = run_case(make_case("ar", 20));
  const PromptRun& prompt = outcome.run.prompts.at(0);
  BOOST_TEST_REQUIRE(prompt.tokens == 20U);
  BOOST_TEST(prompt.verifications == 20U);
  auto hop = profile.link_seconds(profile.row_bytes());
  auto first_hop = profile.link_seconds(24);
  auto per_token = first_hop + 4 * (profile.stage_seconds(8, 1) + hop) + profile.head_seconds(1);
  BOOST_TEST(std::abs(prompt.decode_s - 19 * per_token) < 1e-6);
  // The prompt's rows are one segment of the same cost, except for the hops and a small message
  // before it that opens the session.
  auto rows = prompt.prompt_tokens;
  auto prefill = profile.link_seconds(24 * rows) +
                 4 * (profile.stage_seconds(8, rows) + profile.link_seconds(8192 * rows)) +
                 profile.head_seconds(rows);
  BOOST_TEST(std::abs(prompt.prefill_s - prefill) < 5e-6);
}

BOOST_AUTO_TEST_CASE(devices_and_hops_count_what_they_did_while_tokens_were_generated) {
  auto profile = read_profile("paper-7b");
  auto outcome = run_case(make_case("ar", 11));
  const BenchRun& run = outcome.run;
  BOOST_TEST(run.returned_segments == 10U);
  BOOST_TEST(run.seconds == run.prompts.at(0).decode_s);
  BOOST_TEST_REQUIRE(run.devices.size() == 5U);
  std::vector<std::string> names{"draft", "stage 0", "stage 1", "stage 2", "stage 3"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const DeviceUse& use = run.devices[i];
    BOOST_TEST(use.name == names[i]);
    BOOST_TEST(use.segments == 10U);
    BOOST_TEST(use.rows_computed == 10U);
    BOOST_TEST(use.rows_kept == 10U);
    BOOST_TEST(use.rows_dropped == 0U);
    BOOST_TEST(use.wasted_s == 0);
    auto each = i == 0 ? profile.head_seconds(1) : profile.stage_seconds(8, 1);
    BOOST_TEST(std::abs(use.busy_s - 10 * each) < 2e-6);
  }
  BOOST_TEST_REQUIRE(run.hops.size() == 5U);
  BOOST_TEST(run.hops[0].from == "draft");
  BOOST_TEST(run.hops[4].to == "draft");
  BOOST_TEST(same_time(run.hops[1].seconds, 10 * profile.link_seconds(8192)));
}

BOOST_AUTO_TEST_CASE(text_is_that_of_plain_decoding) {
  auto file = prompts(2);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& text = speculative().texts.at(i);
    BOOST_TEST(text == plain_text(file[i], text.size()), boost::test_tools::per_element());
  }
  for (const char* mode : {"ar", "chunk-pp", "pruned-pp", "pipedec", "chain", "chain-pp"})
    BOOST_TEST((run_case(make_case(mode, 40), 2).texts == speculative().texts));
}

BOOST_AUTO_TEST_CASE(the_same_run_twice_is_the_same_even_in_two_threads) {
  Outcome other;
  Outcome sampled;
  Outcome sampled_again;
  auto what = make_case("flowspec", 24);
  what.temperature = 1;
  what.seed = 3;
  std::thread thread([&] {
    other = run_case(make_case("flowspec", 40), 2);
    sampled = run_case(what);
  });
  sampled_again = run_case(what);
  speculative();
  thread.join();
  for (const auto& [a, b] : {std::pair{&speculative(), &other}, {&sampled, &sampled_again}}) {
    BOOST_TEST((a->texts == b->texts));
    BOOST_TEST((a->trace == b->trace));
    BOOST_TEST((a->run.prompts == b->run.prompts));
    BOOST_TEST((a->run.devices == b->run.devices));
    BOOST_TEST((a->run.hops == b->run.hops));
  }
  BOOST_TEST((sampled.texts.at(0) != other.texts.at(0)));
}

BOOST_AUTO_TEST_CASE(every_prompt_has_dice_of_its_own) {
  auto what = make_case("ar", 16);
  what.temperature = 1;
  what.seed = 5;
  auto prompt = prompts(1);
  prompt.push_back(prompt[0]);
  std::vector<std::vector<Token>> texts;
  run_virtual(what, prompt, {nullptr, &texts});
  BOOST_TEST((texts.at(0) != texts.at(1)));
}

BOOST_AUTO_TEST_CASE(a_verification_pauses_a_draft_forward) {
  auto draft = events(speculative(), Kind::draft, "draft");
  auto verify = events(speculative(), Kind::verify, "draft");
  auto needed = read_profile("paper-7b").draft_seconds(16);
  std::size_t pauses = 0;
  double used = 0;
  for (std::size_t i = 0; i < draft.size(); ++i) {
    used += draft[i].end_s - draft[i].start_s;
    if (draft[i].rows > 0) {
      BOOST_TEST(same_time(used, needed));
      used = 0;
      continue;
    }
    // Interrupted: the LM head has the device until the forward continues.
    BOOST_TEST_REQUIRE(i + 1 < draft.size());
    auto head = std::ranges::find_if(
        verify, [&](const TraceEvent& event) { return event.start_s == draft[i].end_s; });
    BOOST_TEST_REQUIRE((head != verify.end()));
    BOOST_TEST(draft[i + 1].start_s >= head->end_s);
    // A segment whose rows were all pruned costs nothing.
    pauses += head->end_s > head->start_s ? 1 : 0;
  }
  BOOST_TEST(pauses > 0U);
}

/// The text is that of the draft as it is, and forwards take the time that the profile says.
void check_cheaper_draft(LoadType type, const std::string& list, double vocabulary) {
  auto what = make_case("flowspec", 40);
  what.draft_type = type;
  what.draft_vocabulary = list;
  auto outcome = run_case(what, 2);
  BOOST_TEST((outcome.texts == speculative().texts));
  BOOST_TEST((outcome.trace != speculative().trace));
  auto profile = read_profile("paper-7b");
  std::size_t forwards = 0;
  double used = 0;
  for (const TraceEvent& event : events(outcome, Kind::draft, "draft")) {
    used += event.end_s - event.start_s;
    if (event.rows == 0)  // interrupted
      continue;
    BOOST_TEST(same_time(used, profile.draft_seconds(event.rows, type, vocabulary)));
    used = 0;
    ++forwards;
  }
  BOOST_TEST(forwards > 0U);
  auto sampled_texts = [](BenchCase sampled) {
    sampled.temperature = 1;
    return run_case(sampled).texts;
  };
  BOOST_TEST((sampled_texts(what) == sampled_texts(make_case("flowspec", 40))));
}

BOOST_AUTO_TEST_CASE(a_quantised_draft_takes_the_time_of_its_bytes_and_changes_no_text) {
  for (const LoadType type : {LoadType::q8_0, LoadType::q4_0})
    check_cheaper_draft(type, {}, 1);
}

BOOST_AUTO_TEST_CASE(a_draft_of_fewer_tokens_takes_the_time_of_their_rows_and_changes_no_text) {
  check_cheaper_draft(LoadType::as_is, embedded_file("frequent.txt").string(), 0.5);
}

BOOST_AUTO_TEST_CASE(no_device_does_two_things_at_once) {
  for (const char* name : {"draft", "stage 0", "stage 1", "stage 2", "stage 3"})
    check_one_at_a_time(work_of(speculative(), {name}));
}

BOOST_AUTO_TEST_CASE(a_stage_and_the_draft_on_one_device_take_turns) {
  const std::pair<const char*, const char*> places[]{{"first", "stage 0"}, {"last", "stage 3"}};
  for (const auto& [place, stage] : places) {
    auto outcome = run_case(SharedDevice(place).make_case("flowspec", 40), 2);
    BOOST_TEST((outcome.texts == speculative().texts));
    auto work = work_of(outcome, {"draft", stage});
    check_one_at_a_time(work);
    // A forward of the last stage interrupts one of the draft, which goes on later. The first stage
    // gets its segments from the draft itself, between two forwards.
    std::size_t pauses = 0;
    for (std::size_t i = 0; i + 1 < work.size(); ++i)
      if (work[i].kind == Kind::draft && work[i].rows == 0 && work[i + 1].device == stage)
        ++pauses;
    if (place == std::string("last"))
      BOOST_TEST(pauses > 0U);
    // The other stages need not wait for the draft.
    BOOST_TEST(outcome.run.seconds > speculative().run.seconds);
    auto use = std::ranges::find(outcome.run.devices, stage, &DeviceUse::name);
    BOOST_TEST(outcome.run.devices[0].busy_s + use->busy_s < outcome.run.seconds + 1e-6);
  }
}

BOOST_AUTO_TEST_CASE(what_a_stage_sends_to_the_draft_on_its_device_takes_no_time) {
  auto profile = read_profile("paper-7b");
  auto hop = profile.link_seconds(profile.row_bytes());
  auto work = 4 * profile.stage_seconds(8, 1) + profile.head_seconds(1);
  auto first = run_case(SharedDevice("first").make_case("ar", 20));
  BOOST_TEST(std::abs(first.run.seconds - 19 * (work + 4 * hop)) < 2e-6);
  auto last = run_case(SharedDevice("last").make_case("ar", 20));
  BOOST_TEST(std::abs(last.run.seconds - 19 * (work + 3 * hop + profile.link_seconds(24))) < 2e-6);
}

BOOST_AUTO_TEST_CASE(a_stage_drops_rows_that_died_while_they_waited) {
  // Sent as soon as they are drafted, so that they queue at the first stage.
  auto what = make_case("flowspec", 40);
  what.ablation = "late-dispatch";
  auto outcome = run_case(what);
  auto prunes = events(outcome, Kind::prune, "pruner", "stage 0");
  auto forwards = events(outcome, Kind::segment, "stage 0");
  std::size_t cases = 0;
  for (const TraceEvent& arrival : events(outcome, Kind::transfer, "draft", "stage 0")) {
    auto forward = std::ranges::find(forwards, arrival.segment, &TraceEvent::segment);
    BOOST_TEST_REQUIRE((forward != forwards.end()));
    bool pruned = std::ranges::any_of(prunes, [&](const TraceEvent& prune) {
      return prune.end_s > arrival.end_s && prune.end_s < forward->start_s;
    });
    if (pruned && forward->rows < arrival.rows)
      ++cases;
  }
  BOOST_TEST(cases > 0U);
  BOOST_TEST(outcome.run.devices.at(1).rows_dropped > 0U);
  for (const DeviceUse& use : speculative().run.devices)
    BOOST_TEST(use.rows_kept == speculative().run.devices.front().rows_kept);
}

BOOST_AUTO_TEST_CASE(a_controller_changes_the_speed_and_never_the_text) {
  // Rows are free on these devices: there is nothing to switch off, but drafts can be wider.
  auto what = make_case("flowspec", 200);
  auto with = run_case(what, 4);
  what.controller = false;
  auto without = run_case(what, 4);
  BOOST_TEST((without.texts == with.texts));
  BOOST_TEST(with.run.seconds < without.run.seconds);
}

BOOST_AUTO_TEST_CASE(a_slower_link_takes_what_it_should) {
  auto what = make_case("ar", 6);
  what.link_mbps = 125;
  auto outcome = run_case(what);
  for (const TraceEvent& event : events(outcome, Kind::transfer, "stage 1", "stage 2"))
    BOOST_TEST(same_time(event.end_s - event.start_s, event.rows * 8192 * 8 / 125e6 + 0.0002));
  for (const TraceEvent& event : events(outcome, Kind::transfer, "draft", "stage 0"))
    if (event.segment > 1)  // the first one waits for the message that opens the session
      BOOST_TEST(same_time(event.end_s - event.start_s, event.rows * 24 * 8 / 125e6 + 0.0002));
  auto fast = run_case(make_case("ar", 6));
  auto slower = 4 * 8192 * 8 * (1 / 125e6 - 1 / 1e9) + 24 * 8 * (1 / 125e6 - 1 / 1e9);
  BOOST_TEST(std::abs(outcome.run.seconds - fast.run.seconds - 5 * slower) < 1e-6);
}

BOOST_AUTO_TEST_CASE(links_count_what_hidden_states_take_on_the_wire) {
  auto what = make_case("ar", 6);
  BOOST_TEST((run_case(what).run.hidden_type == HiddenType::f16));
  for (auto type : {HiddenType::f32, HiddenType::f16, HiddenType::bf16}) {
    what.hidden_type = type;
    auto outcome = run_case(what);
    BOOST_TEST((outcome.run.hidden_type == type));
    for (const TraceEvent& event : events(outcome, Kind::transfer, "stage 1", "stage 2"))
      BOOST_TEST(same_time(event.end_s - event.start_s,
                           event.rows * 4096 * bytes_of(type) * 8 / 1e9 + 0.0002));
    const auto& text = outcome.texts.at(0);
    BOOST_TEST(text == plain_text(prompts(1)[0], text.size(), type),
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(stages_of_another_number_have_their_share_of_the_layers) {
  auto what = make_case("ar", 3);
  what.stages = 2;
  auto outcome = run_case(what);
  auto forwards = events(outcome, Kind::segment, "stage 1");
  BOOST_TEST_REQUIRE(!forwards.empty());
  auto expected = read_profile("paper-7b").stage_seconds(16, 1);
  BOOST_TEST(same_time(forwards.back().end_s - forwards.back().start_s, expected));
}

BOOST_AUTO_TEST_CASE(cases_that_cannot_be_run_are_refused) {
  auto refused = [](const BenchCase& what, const std::string& text) {
    BOOST_CHECK_EXCEPTION(run_virtual(what, prompts(1)), RuntimeError, [&](const RuntimeError& e) {
      return std::string(e.what()).find(text) != std::string::npos;
    });
  };
  auto what = make_case("flowspec", 4);
  what.profile.clear();
  refused(what, "needs a device profile");
  what.profile = "paper-70b";
  refused(what, "paper-70b");
  what = make_case("flowspec", 4);
  what.ablation = "luck";
  refused(what, "\"luck\"");
  what = make_case("ar", 4);
  what.ablation = "pruning";
  refused(what, "only of the mode flowspec");
  refused(make_case("fast", 4), "\"fast\"");
}

BOOST_AUTO_TEST_CASE(under_the_real_clock_the_text_is_the_same) {
  test::TempFolder folder;
  auto file = folder.path() / "fast.json";
  std::ofstream(file) << R"({
    "device": {"memory_gb_per_s": 1, "memory_efficiency": 1, "tflops": 1, "overhead_ms": 0},
    "model": {"hidden": 256, "layers": 8, "ffn": 512, "heads": 4, "kv_heads": 4, "vocab": 2048,
              "bytes_per_weight": 2},
    "stages": 4, "draft": {"layers": 1}, "link": {"mbps": 1000, "latency_ms": 0.1},
    "measured": {"stage_ms": 4, "draft_ms": 1, "head_ms": 0.5}
  })";
  for (const char* mode : {"ar", "flowspec"}) {
    auto what = make_case(mode, 24);
    what.profile = file;
    Outcome real;
    real.run = run_real(what, prompts(2), {}, {&real.trace, &real.texts});
    auto emulated = run_case(what, 2);
    BOOST_TEST((real.texts == emulated.texts));
    BOOST_TEST(real.run.devices.size() == 5U);
    BOOST_TEST(!real.trace.empty());
    BOOST_TEST_MESSAGE(mode << ": " << real.run.seconds << " s, in virtual time "
                            << emulated.run.seconds << " s");
  }
  auto what = make_case("flowspec", 24);
  what.profile.clear();
  Outcome plain;
  plain.run = run_real(what, prompts(1), {}, {&plain.trace, &plain.texts});
  BOOST_TEST(
      plain.texts.at(0) == plain_text(prompts(1)[0], plain.texts.at(0).size(), HiddenType::f32),
      boost::test_tools::per_element());
  BOOST_TEST(plain.trace.empty());
  BOOST_TEST(plain.run.devices.size() >= 2U);
}
