/// A benchmark over processes: emulated devices on nodes.

#include <fstream>

#include <boost/test/unit_test.hpp>

#include "tests/support/paths.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

namespace {

using Json = nlohmann::json;

/// Devices that take long enough to be told from the machine's own speed.
constexpr const char* slow_profile = R"({
  "device": {"memory_gb_per_s": 1, "memory_efficiency": 1, "tflops": 1, "overhead_ms": 0},
  "model": {"hidden": 256, "layers": 8, "ffn": 512, "heads": 4, "kv_heads": 4, "vocab": 2048,
            "bytes_per_weight": 2},
  "stages": 4, "draft": {"layers": 1}, "link": {"mbps": 1000, "latency_ms": 1},
  "measured": {"stage_ms": 20, "draft_ms": 5, "head_ms": 5}
})";

Json bench(const TempFolder& folder, const Arguments& arguments) {
  auto file = (folder / "run.json").string();
  auto result =
      flowspec_program(Arguments{"bench", "--profile", (folder / "slow.json").string(),
                                 "--prompt-count", "1", "--max-tokens", "8", "--json", file} +
                       arguments);
  BOOST_REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  std::ifstream in(file);
  return Json::parse(in).at("runs").at(0);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(benchmarks)

BOOST_AUTO_TEST_CASE(emulated_devices_on_nodes_are_as_slow_as_in_virtual_time) {
  TempFolder folder;
  std::ofstream(folder / "slow.json") << slow_profile;
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  for (int i = 0; i < 4; ++i)
    nodes.push_back(std::make_unique<NodeProcess>("bench-" + std::to_string(i),
                                                  source_path("models/embedded")));
  for (const char* mode : {"ar", "flowspec"}) {
    Arguments what{"--modes", mode, "--controller", "off"};
    auto ideal = bench(folder, what + Arguments{"--virtual"});
    auto real = bench(folder, what + node_arguments(nodes));
    BOOST_TEST_MESSAGE(mode << ": " << ideal.dump() << "\n" << real.dump());
    auto speed = [](const Json& run) { return run.at("decode_tokens_per_second").get<double>(); };
    // It may be slower, on a busy machine by much; but plain decoding never faster.
    if (std::string(mode) == "ar")
      BOOST_TEST(speed(real) <= 1.01 * speed(ideal));
    BOOST_TEST(speed(real) > 0);
  }
}

BOOST_AUTO_TEST_SUITE_END()
