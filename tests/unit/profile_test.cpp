/// Device profiles.

#include "runtime/cluster/profile.hpp"

#include <filesystem>
#include <fstream>
#include <tuple>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "runtime/console/error.hpp"
#include "tests/support/paths.hpp"

using namespace flowspec;

namespace {

using Json = nlohmann::json;

Json good() {
  return Json::parse(R"({
    "device": {"memory_gb_per_s": 100, "memory_efficiency": 0.5, "tflops": 2, "overhead_ms": 1},
    "model": {"hidden": 1000, "layers": 10, "ffn": 2000, "heads": 10, "kv_heads": 5, "vocab": 5000,
              "bytes_per_weight": 2},
    "stages": 2,
    "draft": {"layers": 1},
    "link": {"mbps": 100, "latency_ms": 1}
  })");
}

void check_refused(const Json& json, const std::string& text) {
  try {
    parse_profile(json.dump(), "p.json");
    BOOST_ERROR("no error; expected: " << text);
  } catch (const RuntimeError& e) {
    std::string what = e.what();
    BOOST_CHECK_MESSAGE(what.find(text) != std::string::npos,
                        "expected \"" << text << "\" in: " << what);
    BOOST_CHECK(what.find("p.json") != std::string::npos);
    BOOST_CHECK(e.code() == ErrorCode::bad_request);
  }
}

/// A file that is right but for one value.
void check_refused(const char* section, const char* key, const Json& value,
                   const std::string& text) {
  auto json = good();
  (section == nullptr ? json : json[section])[key] = value;
  check_refused(json, text);
}

bool close(double a, double b) {
  return std::abs(a - b) < 1e-7;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(profiles)

BOOST_AUTO_TEST_CASE(a_forward_reads_its_weights_or_computes_its_rows) {
  auto profile = parse_profile(good().dump(), "p.json");
  // 1000 x 1000 twice, 1000 x 500 twice, 1000 x 2000 three times: 9e6 weights a layer.
  BOOST_TEST(profile.model.layer_weights() == 9e6);
  // 18 MB a layer at 50 GB/s; 18 MFLOP a row at 2 TFLOP/s.
  BOOST_TEST(close(profile.stage_seconds(1, 1), 0.00036 + 0.001));
  BOOST_TEST(close(profile.stage_seconds(5, 1), 5 * 0.00036 + 0.001));
  BOOST_TEST(close(profile.stage_seconds(2.5, 40), 2.5 * 0.00036 + 0.001));
  BOOST_TEST(close(profile.stage_seconds(5, 100), 5 * 100 * 9e-6 + 0.001));
  BOOST_TEST(profile.stage_seconds(5, 0) == 0);
  BOOST_TEST(close(profile.head_seconds(1), 5e6 * 2 / 50e9 + 0.001));
  BOOST_TEST(close(profile.draft_seconds(1), (9e6 + 2e6 + 5e6) * 2 / 50e9 + 0.001));
  BOOST_TEST(profile.row_bytes() == 4000);
  BOOST_TEST(close(profile.link_seconds(2000), 0.00016 + 0.001));
}

BOOST_AUTO_TEST_CASE(measurements_replace_the_formula) {
  auto json = good();
  json["measured"] = {{"stage_ms", 10}, {"stage_ms_per_row", 1}, {"draft_ms", 3}, {"head_ms", 2}};
  auto profile = parse_profile(json.dump(), "p.json");
  // Of a stage of 5 layers.
  BOOST_TEST(close(profile.stage_seconds(5, 10), 0.011));
  BOOST_TEST(close(profile.stage_seconds(5, 20), 0.021));
  BOOST_TEST(close(profile.stage_seconds(10, 20), 0.041));
  BOOST_TEST(close(profile.stage_seconds(2.5, 1), 0.006));
  BOOST_TEST(close(profile.draft_seconds(16), 0.003));
  BOOST_TEST(close(profile.head_seconds(64), 0.002));
}

BOOST_AUTO_TEST_CASE(a_quantised_draft_reads_less_and_does_everything_else_as_before) {
  auto json = good();
  auto profile = parse_profile(json.dump(), "p.json");
  // 16e6 weights in 2 bytes at 50 GB/s, then 1 ms.
  const double read = 16e6 * 2 / 50e9;
  BOOST_TEST((profile.draft(LoadType::as_is) == profile.draft()));
  BOOST_TEST(close(profile.draft_seconds(1, LoadType::q8_0), read * 34 / 64 + 0.001));
  BOOST_TEST(close(profile.draft_seconds(1, LoadType::q4_0), read * 18 / 64 + 0.001));
  // 100 rows take 1.6 ms of computing, whatever the type.
  BOOST_TEST(close(profile.draft_seconds(100, LoadType::q4_0), 100 * 16e-6 + 0.001));
  // Measured, with 2 ms besides reading.
  json["measured"] = {{"draft_ms", 2.64}};
  profile = parse_profile(json.dump(), "p.json");
  BOOST_TEST(close(profile.draft_seconds(1), 0.00264));
  BOOST_TEST(close(profile.draft_seconds(1, LoadType::q8_0), 0.002 + read * 34 / 64));
  BOOST_TEST(close(profile.draft_seconds(100, LoadType::q8_0), 0.002 + 100 * 16e-6));
  // Measured as less than the formula's reading: then all of it is reading.
  json["measured"] = {{"draft_ms", 0.32}};
  profile = parse_profile(json.dump(), "p.json");
  BOOST_TEST(close(profile.draft_seconds(1, LoadType::q4_0), 0.00032 * 18 / 64));
}

BOOST_AUTO_TEST_CASE(a_draft_of_fewer_tokens_reads_and_multiplies_less_of_its_lm_head) {
  auto json = good();
  auto profile = parse_profile(json.dump(), "p.json");
  BOOST_TEST((profile.draft(LoadType::as_is, 1) == profile.draft()));
  // Of 5e6 of the 16e6 weights a quarter is left.
  BOOST_TEST(close(profile.draft_seconds(1, LoadType::as_is, 0.25), 12.25e6 * 2 / 50e9 + 0.001));
  BOOST_TEST(close(profile.draft_seconds(100, LoadType::as_is, 0.25), 100 * 12.25e-6 + 0.001));
  BOOST_TEST(
      close(profile.draft_seconds(1, LoadType::q8_0, 0.25), 12.25e6 * 34 / 32 / 50e9 + 0.001));
  // Measured, with 2 ms besides reading.
  json["measured"] = {{"draft_ms", 2.64}};
  profile = parse_profile(json.dump(), "p.json");
  BOOST_TEST(close(profile.draft_seconds(1, LoadType::as_is, 0.25), 0.002 + 12.25e6 * 2 / 50e9));
}

BOOST_AUTO_TEST_CASE(a_draft_of_few_bytes_gets_no_more) {
  auto json = good();
  json["model"]["bytes_per_weight"] = 0.75;
  auto profile = parse_profile(json.dump(), "p.json");
  BOOST_TEST((profile.draft(LoadType::q8_0) == profile.draft()));
  BOOST_TEST(close(profile.draft_seconds(1, LoadType::q4_0), 16e6 * 0.5625 / 50e9 + 0.001));
  json["measured"] = {{"draft_ms", 3}};
  profile = parse_profile(json.dump(), "p.json");
  BOOST_TEST((profile.draft(LoadType::q8_0) == profile.draft()));
}

BOOST_AUTO_TEST_CASE(the_paper_s_7b_devices) {
  auto profile = read_profile("paper-7b");
  BOOST_TEST(profile.name == "paper-7b");
  BOOST_TEST(profile.stages == 4U);
  BOOST_TEST(profile.model.layers == 32U);
  for (std::size_t rows : {1, 16, 64}) {
    BOOST_CHECK_CLOSE(profile.stage_seconds(8, rows), 0.081, 0.2);
    BOOST_CHECK_CLOSE(profile.head_seconds(rows), 0.007, 0.1);
  }
  BOOST_CHECK_CLOSE(profile.stage_seconds(8, 200), 0.200 * 1.08 + 0.002, 0.5);
  BOOST_CHECK_CLOSE(profile.stage_seconds(16, 1), 0.160, 0.2);
  BOOST_CHECK_CLOSE(profile.draft_seconds(16), 0.024, 0.1);
  // 17.9 of the 24 ms are reading.
  BOOST_CHECK_CLOSE(profile.draft_seconds(16, LoadType::q8_0), 0.0156, 0.5);
  BOOST_CHECK_CLOSE(profile.draft_seconds(16, LoadType::q4_0), 0.0111, 0.5);
  BOOST_TEST(profile.row_bytes() == 8192);
  BOOST_CHECK_CLOSE(profile.link_seconds(8192), 0.000265536, 0.1);
  // The formula alone is not far from the measurements.
  profile.draft_ms.reset();
  profile.head_ms.reset();
  BOOST_CHECK_CLOSE(profile.draft_seconds(16), 0.020, 1);
  BOOST_CHECK_CLOSE(profile.head_seconds(16), 0.0084, 1);
}

BOOST_AUTO_TEST_CASE(the_paper_s_13b_devices) {
  auto profile = read_profile("paper-13b");
  BOOST_TEST(profile.model.layers == 40U);
  for (std::size_t rows : {1, 64})
    BOOST_CHECK_CLOSE(profile.stage_seconds(10, rows), 0.370, 0.1);
  BOOST_CHECK_CLOSE(profile.stage_seconds(10, 100), 0.578, 0.1);
  BOOST_CHECK_CLOSE(profile.stage_seconds(5, 1), 0.185, 0.1);
  BOOST_CHECK_CLOSE(profile.draft_seconds(16), 0.034, 0.1);
  BOOST_CHECK_CLOSE(profile.draft_seconds(16, LoadType::q8_0), 0.0218, 0.5);
  BOOST_CHECK_CLOSE(profile.head_seconds(64), 0.010, 0.1);
  BOOST_TEST(profile.row_bytes() == 10240);
}

BOOST_AUTO_TEST_CASE(desktops_and_boards_with_an_8b_model_in_four_bits) {
  auto desk = read_profile("desk-8b");
  auto home = read_profile("home-8b");
  // 32 layers of 218 million weights, and an LM head of 525 million.
  BOOST_TEST(desk.model.layer_weights() == 218'103'808);
  BOOST_CHECK_CLOSE(32 * desk.model.layer_weights() + desk.model.head_weights(), 7.5e9, 0.1);
  // 0.98 GB of weights a stage, at 52 and at 13.6 GB/s.
  BOOST_CHECK_CLOSE(desk.stage_seconds(8, 1), 0.01937, 0.1);
  BOOST_CHECK_CLOSE(home.stage_seconds(8, 1), 0.07317, 0.1);
  // 3.5 operations per weight and row, in thousands of millions: 2.3 ms and 17.4 ms a row.
  BOOST_TEST(desk.stage_seconds(8, 8) == desk.stage_seconds(8, 1));
  BOOST_CHECK_CLOSE(desk.stage_seconds(8, 16), 16 * 0.002326 + 0.0005, 0.1);
  BOOST_TEST(home.stage_seconds(8, 4) == home.stage_seconds(8, 1));
  BOOST_CHECK_CLOSE(home.stage_seconds(8, 5), 5 * 0.01745 + 0.001, 0.1);
  BOOST_CHECK_CLOSE(home.draft_seconds(1), 0.0331, 0.5);
  for (const auto& profile : {desk, home}) {
    BOOST_TEST(profile.stages == 4U);
    BOOST_TEST((profile.draft_place == DraftPlace::last_stage));
    BOOST_TEST(profile.link().bits_per_second == 1'000'000'000U);
  }
}

BOOST_AUTO_TEST_CASE(desktops_far_from_each_other) {
  auto wan = read_profile("wan-8b");
  BOOST_TEST(wan.stage_seconds(8, 12) == read_profile("desk-8b").stage_seconds(8, 12));
  BOOST_TEST(wan.link().bits_per_second == 100'000'000U);
  BOOST_TEST(wan.link().latency_ns == 30'000'000U);
  BOOST_TEST((wan.draft_place == DraftPlace::first_stage));
}

BOOST_AUTO_TEST_CASE(the_draft_has_a_device_of_its_own_or_a_stage_s) {
  BOOST_TEST((parse_profile(good().dump(), "p.json").draft_place == DraftPlace::own_device));
  auto json = good();
  json["draft"]["on_stage"] = "first";
  BOOST_TEST((parse_profile(json.dump(), "p.json").draft_place == DraftPlace::first_stage));
  json["draft"]["on_stage"] = "last";
  BOOST_TEST((parse_profile(json.dump(), "p.json").draft_place == DraftPlace::last_stage));
}

BOOST_AUTO_TEST_CASE(stages_have_equal_parts_or_those_of_a_split) {
  auto json = good();
  BOOST_TEST(parse_profile(json.dump(), "p.json").split.empty());
  json["split"] = {3, 7};
  BOOST_TEST((parse_profile(json.dump(), "p.json").split == std::vector<std::uint32_t>{3, 7}));
  auto profile = parse_profile(json.dump(), "p.json");
  BOOST_TEST(profile.stage_layers(0, 2, 0.5) == 3);
  BOOST_TEST(profile.stage_layers(1, 2, 0.5) == 7);
  BOOST_TEST(profile.stage_layers(1, 4, 0.25) == 2.5);
  for (const Json& wrong : {Json{3, 6}, Json{10}, Json{0, 10}, Json{-3, 13}, Json(10), Json{"3", 7},
                            Json{4294967295U, 11}}) {
    json["split"] = wrong;
    check_refused(json,
                  "\"split\" is " + wrong.dump() + ", not the layers of 2 stages, which are 10");
  }
}

BOOST_AUTO_TEST_CASE(links_carry_hidden_states_of_the_profile_s_type) {
  auto json = good();
  for (const auto& [name, type, bytes] : {std::tuple{"f32", HiddenType::f32, 4000},
                                          {"f16", HiddenType::f16, 2000},
                                          {"bf16", HiddenType::bf16, 2000}}) {
    json["hidden_type"] = name;
    auto profile = parse_profile(json.dump(), "p.json");
    BOOST_TEST((profile.hidden_type == type));
    BOOST_TEST(profile.link().row_bytes == static_cast<std::uint32_t>(bytes));
    BOOST_TEST(profile.first_link().row_bytes == 24U);
  }
  for (const char* name : {"paper-7b", "paper-13b", "desk-8b", "home-8b", "wan-8b"})
    BOOST_TEST((read_profile(name).hidden_type == HiddenType::f16), name);
}

BOOST_AUTO_TEST_CASE(links_have_the_profile_s_rate_or_another) {
  auto profile = read_profile("paper-7b");
  BOOST_TEST((profile.link() == EmulatedLink{1'000'000'000, 200'000, 8192}));
  BOOST_TEST((profile.link(125) == EmulatedLink{125'000'000, 200'000, 8192}));
  BOOST_TEST((profile.first_link() == EmulatedLink{1'000'000'000, 200'000, 24}));
}

BOOST_AUTO_TEST_CASE(every_example_that_is_no_cluster_is_a_profile) {
  int examples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_path("config"))) {
    auto file = entry.path().filename().string();
    if (!file.ends_with(".json") || file.starts_with("cluster-"))
      continue;
    BOOST_TEST(read_profile(entry.path().stem().string()).stages > 0U);
    BOOST_TEST(read_profile(entry.path().string()).stages > 0U);
    ++examples;
  }
  BOOST_TEST(examples >= 5);
}

BOOST_AUTO_TEST_CASE(mistakes_are_named) {
  check_refused(Json::array(), "has to be an object");
  check_refused(nullptr, "stagse", 4, "unknown key \"stagse\"");
  check_refused("device", "gflops", 4, "unknown key \"gflops\"");
  check_refused("model", "hiden", 4, "unknown key \"hiden\"");
  check_refused(nullptr, "measured", {{"stage_s", 1}}, "unknown key \"stage_s\"");
  check_refused(nullptr, "device", 4, "\"device\" has to be an object");
  check_refused("device", "memory_gb_per_s", 0, "\"memory_gb_per_s\" is 0");
  check_refused("device", "memory_efficiency", 1.5, "\"memory_efficiency\" is 1.5");
  check_refused("device", "tflops", "fast", "\"tflops\" is \"fast\"");
  check_refused("device", "tflops", nullptr, "\"tflops\" is null");
  check_refused("device", "overhead_ms", -1, "\"overhead_ms\" is -1");
  check_refused("model", "layers", 2.5, "\"layers\" is 2.5");
  check_refused("model", "hidden", 1e9, "\"hidden\"");
  check_refused("model", "heads", 7, "\"heads\" (7)");
  check_refused("model", "kv_heads", 3, "\"kv_heads\" (3)");
  check_refused("model", "kv_heads", 11, "\"kv_heads\" is 11");
  check_refused(nullptr, "stages", 11, "\"stages\" is 11");
  check_refused(nullptr, "stages", 0, "\"stages\" is 0");
  check_refused("draft", "layers", 0, "\"layers\" is 0");
  check_refused("draft", "on_stage", 3, "\"on_stage\" is 3, not one of [\"first\",\"last\"]");
  check_refused("draft", "on_stage", "middle", "\"on_stage\" is \"middle\"");
  check_refused("draft", "onstage", "last", "unknown key \"onstage\"");
  check_refused(nullptr, "hidden_type", "f8", "\"hidden_type\" is \"f8\"");
  check_refused("link", "mbps", 0, "\"mbps\" is 0");
  check_refused("link", "latency_ms", -1, "\"latency_ms\" is -1");
  check_refused(nullptr, "ready_lead_ms", 1e9, "\"ready_lead_ms\"");
  for (const char* key : {"device", "model", "stages", "draft", "link"}) {
    auto json = good();
    json.erase(key);
    check_refused(json, std::string("has no \"") + key + "\"");
  }
  BOOST_CHECK_EXCEPTION(parse_profile("{", "p.json"), RuntimeError, [](const RuntimeError& e) {
    return std::string(e.what()).starts_with("p.json is no JSON");
  });
  for (const char* name : {"paper-8b", "/nowhere/p.json", "", "../config/paper-7b"})
    BOOST_CHECK_EXCEPTION(read_profile(name), RuntimeError, [](const RuntimeError& e) {
      return std::string(e.what()).find("paper-13b, paper-7b") != std::string::npos;
    });
}

BOOST_AUTO_TEST_SUITE_END()
