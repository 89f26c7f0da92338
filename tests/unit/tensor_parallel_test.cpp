/// What tensor parallelism would bring on emulated devices, by hand.

#include "runtime/bench/tensor_parallel.hpp"

#include <cmath>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/bench_samples.hpp"

using namespace flowspec;
using test::case_of;
using test::sample_run;

namespace {

/// 8 layers of a second and a half together, however many devices: a row costs as much as a pass
/// over the weights if there are 10.
DeviceProfile devices_of(const char* draft = R"({"layers": 1})") {
  return parse_profile(std::string(R"({
    "device": {"memory_gb_per_s": 1, "memory_efficiency": 1, "tflops": 1, "overhead_ms": 5},
    "model": {"hidden": 1000, "layers": 8, "ffn": 1000, "heads": 1, "kv_heads": 1, "vocab": 1000,
              "bytes_per_weight": 2},
    "stages": 4, "hidden_type": "f16", "link": {"mbps": 1000, "latency_ms": 1},
    "measured": {"stage_ms": 100, "stage_ms_per_row": 10, "draft_ms": 3, "head_ms": 2},
    "draft": )") + draft + "}",
                       "p.json");
}

bool close(double a, double b) {
  return std::abs(a - b) < 1e-9;
}

CellResult result_of(const char* mode, const char* profile, float temperature = 0) {
  auto what = case_of(profile);
  what.mode = mode;
  what.temperature = temperature;
  return {summarize(sample_run(what)), ""};
}

std::vector<std::string> modes_of(const std::vector<CellResult>& results) {
  std::vector<std::string> modes;
  for (const CellResult& result : results)
    modes.push_back(result.summary.what.mode);
  return modes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tensor_parallel)

BOOST_AUTO_TEST_CASE(an_all_reduce_sends_every_part_round_the_ring_twice) {
  const EmulatedLink link{1'000'000'000, 200'000, 0};
  // Six parts of 250 kB, 2 ms each, and six latencies.
  BOOST_TEST(close(all_reduce_seconds(link, 1e6, 4), 6 * (0.002 + 0.0002)));
  BOOST_TEST(close(all_reduce_seconds(link, 1e6, 2), 2 * (0.004 + 0.0002)));
  BOOST_TEST(all_reduce_seconds(link, 1e6, 1) == 0);
}

BOOST_AUTO_TEST_CASE(megatron_exchanges_twice_a_layer_and_once_for_the_embeddings) {
  auto profile = devices_of();
  auto link = profile.link();
  // Each of four devices computes as much as a stage of two layers; a row has 2000 bytes.
  auto exchange = 6 * (10 * 500 * 8 / 1e9 + 0.001);
  BOOST_TEST(close(all_reduce_seconds(link, 20'000, 4), exchange));
  BOOST_TEST(close(tensor_forward_seconds(TensorScheme::megatron, profile, link, 4, 10),
                   0.105 + 17 * exchange));
  auto one_device = tensor_forward_seconds(TensorScheme::megatron, profile, link, 1, 10);
  BOOST_TEST(close(one_device, 0.405));
}

BOOST_AUTO_TEST_CASE(galaxy_exchanges_while_it_multiplies) {
  auto profile = devices_of();
  auto slow = profile.link();
  auto fast = profile.link(100'000);
  fast.latency_ns = 0;
  // Ten rows become twelve, to be shared by four devices.
  auto exchange = 6 * (12 * 500 * 8 / 1e9 + 0.001);
  BOOST_TEST(close(tensor_forward_seconds(TensorScheme::galaxy, profile, slow, 4, 10),
                   0.005 + 17 * exchange));
  // On fast links only the exchange of the embeddings shows.
  BOOST_TEST(close(tensor_forward_seconds(TensorScheme::galaxy, profile, fast, 4, 10),
                   0.105 + 6 * 12 * 500 * 8 / 1e11));
}

BOOST_AUTO_TEST_CASE(a_round_drafts_and_verifies_the_published_tree) {
  // 81 rows, 7 draft forwards, the ids to the devices, the hidden states to the verifier.
  for (const char* draft : {R"({"layers": 1})", R"({"layers": 1, "on_stage": "last"})"}) {
    auto profile = devices_of(draft);
    auto link = profile.link();
    auto forward = tensor_forward_seconds(TensorScheme::megatron, profile, link, 4, 81);
    bool own = profile.draft_place == DraftPlace::own_device;
    auto hops = 0.001 + 81 * 24 * 8 / 1e9 + (own ? 0.001 + 81 * 2000 * 8 / 1e9 : 0);
    BOOST_TEST(close(tensor_round_seconds(TensorScheme::megatron, profile, 0, 4),
                     7 * 0.003 + hops + forward + 0.002));
  }
}

BOOST_AUTO_TEST_CASE(on_the_published_devices_links_decide) {
  // Published, tokens/s at 1000 and 125 Mb/s: 2.25 and 0.96 with Megatron, 2.34 and 0.79 with
  // Galaxy; FlowSpec loses a fourteenth.
  auto profile = read_profile("paper-7b");
  for (auto scheme : {TensorScheme::megatron, TensorScheme::galaxy}) {
    auto fast = tensor_round_seconds(scheme, profile, 1000, 4);
    auto slow = tensor_round_seconds(scheme, profile, 125, 4);
    BOOST_TEST(slow > 2 * fast);
    // An exchange costs nothing here beyond its bytes and latencies: faster than published.
    BOOST_TEST(fast < 5.0 / 2.25);
    BOOST_TEST(slow < 5.0 / 0.79);
  }
  BOOST_TEST(tensor_round_seconds(TensorScheme::galaxy, profile, 1000, 4) <
             tensor_round_seconds(TensorScheme::megatron, profile, 1000, 4));
}

BOOST_AUTO_TEST_CASE(rows_follow_the_setting_in_which_chunk_pp_ran) {
  std::vector<CellResult> results{result_of("chunk-pp", "paper-7b"),
                                  result_of("flowspec", "paper-7b"), result_of("ar", "paper-13b"),
                                  result_of("chunk-pp", "paper-7b", 1), result_of("chunk-pp", "")};
  results.push_back(result_of("chunk-pp", "desk-8b"));
  results.back().error = "failed";
  add_tensor_parallel(results);
  BOOST_TEST((modes_of(results) == std::vector<std::string>{"chunk-pp", "flowspec", "megatron",
                                                            "galaxy", "ar", "chunk-pp", "megatron",
                                                            "galaxy", "chunk-pp", "chunk-pp"}));
  const BenchSummary& summary = results[2].summary;
  BOOST_TEST(summary.modelled_devices == 2U);
  BOOST_TEST(summary.accept_length == 2.5);
  // Its links carry what the run of chunk-pp did, whatever the profile says.
  auto profile = read_profile("paper-7b");
  profile.hidden_type = HiddenType::f32;
  auto round = tensor_round_seconds(TensorScheme::megatron, profile, 0, 2);
  BOOST_TEST(close(summary.decode_rate, 2.5 / round));
  BOOST_TEST((summary.hidden_type == HiddenType::f32));
}

BOOST_AUTO_TEST_CASE(tables_and_files_say_that_a_row_was_not_run) {
  std::vector<CellResult> results{result_of("chunk-pp", "paper-7b")};
  auto before = table_text(results, BenchClock::virtual_time);
  BOOST_TEST(before.find("odelled") == std::string::npos);
  add_tensor_parallel(results);
  auto table = table_text(results, BenchClock::virtual_time);
  BOOST_TEST_MESSAGE(table);
  for (const char* part :
       {"Modelled rows were not run", "megatron (modelled)", "galaxy (modelled)"})
    BOOST_TEST(table.find(part) != std::string::npos, part);
  auto runs = nlohmann::json::parse(bench_json(results, BenchClock::virtual_time))["runs"];
  BOOST_TEST(runs.size() == 3U);
  BOOST_TEST(runs[0]["modelled"] == false);
  BOOST_TEST(runs[1]["modelled"] == true);
  BOOST_TEST(runs[1]["stages"] == 2);
  auto csv = csv_text(results, BenchClock::virtual_time);
  BOOST_TEST(csv.find(",modelled,") != std::string::npos);
  BOOST_TEST(csv.find(",yes,") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
