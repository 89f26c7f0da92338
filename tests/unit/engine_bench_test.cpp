/// `flowspec bench engine`: what it measures with, and what it prints.

#include "runtime/engine_bench/engine_bench.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <sstream>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "models/base/error.hpp"
#include "runtime/console/text_table.hpp"
#include "runtime/engine_bench/engine_report.hpp"
#include "runtime/engine_bench/pipeline.hpp"
#include "runtime/engine_bench/random_model.hpp"
#include "runtime/engine_bench/read_bandwidth.hpp"
#include "tests/support/temp_folder.hpp"

namespace flowspec::test {
namespace {

ModelConfig small_shape() {
  ModelConfig config = *find_shape("tinyllama-1.1b");
  config.hidden_size = 256;
  config.layers = 3;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = config.rope_dims = 64;
  config.ffn_size = 512;
  config.vocab_size = 300;
  return config;
}

EngineReport sample_report() {
  EngineReport report;
  report.model = "tiny";
  report.type = "Q8_0";
  report.parameters = 1'100'000'000;
  report.weight_bytes = std::uint64_t{1} << 30;
  report.kernels = "avx2";
  report.bandwidth = {{1, 20e9}, {2, 30e9}};
  report.peak_memory = std::uint64_t{3} << 29;
  report.runs = {{"tg64", 2, 1, 1, {10, 12, 11}, 0.5, 0.1, "int8"}};
  return report;
}

}  // namespace

BOOST_AUTO_TEST_CASE(random_models_of_every_type_compute_finite_logits) {
  for (TensorType type : {TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::q8_0,
                          TensorType::q4_0, TensorType::q4_1, TensorType::q5_0, TensorType::q5_1,
                          TensorType::q4_k, TensorType::q5_k, TensorType::q6_k}) {
    const ModelConfig config = small_shape();
    const RandomModel model(config, type);
    EnginePipeline pipeline(model, config, {.threads = 1, .stages = 1, .context = 8});
    pipeline.forward(0, 8, 8);
    const auto logits = pipeline.logits().first(std::size_t{8} * config.vocab_size);
    BOOST_TEST_CONTEXT(type_name(type)) {
      BOOST_TEST(std::ranges::all_of(logits, [](float x) { return std::isfinite(x); }));
      BOOST_TEST((std::ranges::adjacent_find(logits, std::not_equal_to{}) != logits.end()));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_shape_that_a_type_cannot_store_is_refused) {
  ModelConfig config = small_shape();
  config.ffn_size = 288;
  BOOST_CHECK_NO_THROW(RandomModel(config, TensorType::q8_0));
  BOOST_CHECK_EXCEPTION(RandomModel(config, TensorType::q4_k), ModelError, [](const ModelError& e) {
    return std::string(e.what()).find("ffn_down") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(the_split_changes_no_logits) {
  const ModelConfig config = small_shape();
  const RandomModel model(config, TensorType::q8_0);
  std::vector<float> whole;
  for (std::uint32_t stages : {1U, 2U, 3U}) {
    EnginePipeline pipeline(model, config, {.threads = 1, .stages = stages, .context = 100});
    pipeline.forward(0, 70, 1);
    pipeline.forward(70, 1, 1);
    const auto logits = pipeline.logits().first(config.vocab_size);
    if (whole.empty())
      whole.assign(logits.begin(), logits.end());
    BOOST_TEST(std::ranges::equal(whole, logits));
  }
}

BOOST_AUTO_TEST_CASE(the_table_is_markdown_with_median_and_share) {
  std::ostringstream out;
  print_table(sample_report(), out);
  BOOST_TEST(out.str() ==
             "tiny, Q8_0: 1.00 GiB, 1.10 B parameters, kernels avx2\n"
             "\n"
             "| test | threads | stages |     tokens/s | of limit | limit  |\n"
             "| ---- | ------: | -----: | -----------: | -------: | ------ |\n"
             "| tg64 |       2 |      1 | 11.00 ± 1.00 |     50 % | memory |\n"
             "\n"
             "Medians ± standard deviation; limits: memory can be read at 20.0 GB/s by 1\n"
             "thread, 30.0 GB/s by 2 threads. Largest resident size: 1.50 GiB.\n");
}

BOOST_AUTO_TEST_CASE(the_table_fits_a_terminal) {
  EngineReport report = sample_report();
  report.model = "a-model-with-a-long-name.and.more.gguf";
  report.type = "Q6_K, Q4_K, Q5_0, F32";
  report.bandwidth = {{1, 20e9}, {2, 30e9}, {64, 1234e9}, {128, 2345e9}};
  report.runs = {{"pp32768", 128, 4096, 64, {123456.78, 98765.43}, 12.34, 0.5, "int8"}};
  report.products = {{ProductType::f32, 128, 123e12, "brg:avx512_core"}};
  report.attention = {{1048576, 64, 128, {123456789}, 1'000'000'000, 1e15, 0.5, 0.5}};
  std::ostringstream out;
  print_table(report, out);
  std::istringstream lines(out.str());
  for (std::string line; std::getline(lines, line);)
    BOOST_CHECK_MESSAGE(width_of(line) <= usual_columns, line);
}

BOOST_AUTO_TEST_CASE(json_has_every_figure) {
  const auto json = nlohmann::json::parse(to_json(sample_report()));
  BOOST_TEST(json["peak_memory_bytes"] == std::uint64_t{3} << 29);
  const auto& run = json["runs"].at(0);
  BOOST_TEST(run["test"] == "tg64");
  BOOST_TEST(run["rows"] == 1);
  BOOST_TEST(run["threads"] == 2);
  BOOST_TEST(run["type"] == "Q8_0");
  BOOST_TEST(run["tokens_per_second"] == 11);
  BOOST_TEST(run["bandwidth_share"] == 0.5);
  BOOST_TEST(run["kernel"] == "avx2");
}

BOOST_AUTO_TEST_CASE(the_embedded_model_is_measured) {
  TempFolder folder;
  EngineBenchOptions options;
  options.rows = {2};
  options.prefill = {4, 0};
  options.decode = {2};
  options.stages = {1, 3};
  options.context = 3;
  options.repeats = 1;
  options.attention = {40, 0};
  options.json_file = (folder.path() / "engine.json").string();
  std::ostringstream out;
  std::ostringstream progress;
  BOOST_TEST((run_engine_bench(options, out, progress) == ExitCode::ok));
  std::ifstream file(options.json_file);
  const auto json = nlohmann::json::parse(file);
  BOOST_TEST(json["runs"].size() == 6U);
  for (const auto& run : json["runs"])
    BOOST_TEST(run["tokens_per_second"].get<double>() > 0);
  for (const auto& run : json["runs"])
    BOOST_TEST(run["limit_share"].get<double>() > 0);
  BOOST_TEST(json["attention"].size() == 1U);
  BOOST_TEST(json["attention"].at(0)["bytes_per_second"].get<double>() > 0);
  BOOST_TEST(!json["products"].empty());

  // Beside itself, in the file that it replaces.
  options.compare_file = options.json_file;
  out.str("");
  BOOST_TEST((run_engine_bench(options, out, progress) == ExitCode::ok));
  BOOST_TEST(out.str().find("Beside ") != std::string::npos);
  BOOST_TEST(out.str().find("differs") == std::string::npos);
  std::ifstream again(options.json_file);
  const auto compared = nlohmann::json::parse(again)["comparison"];
  BOOST_TEST(compared["figures"].size() > json["runs"].size());
  BOOST_TEST(compared["differences"].empty());
}

BOOST_AUTO_TEST_CASE(more_stages_than_layers_are_refused) {
  EngineBenchOptions options;
  options.stages = {100};
  std::ostringstream out;
  BOOST_CHECK_THROW(run_engine_bench(options, out, out), RuntimeError);
  options.stages = {1};
  options.rows = {65};
  BOOST_CHECK_THROW(check(options), RuntimeError);
  options.rows = {1};
  options.shape = "gpt-5";
  BOOST_CHECK_EXCEPTION(check(options), RuntimeError, [](const RuntimeError& e) {
    return std::string(e.what()).find("tinyllama-1.1b") != std::string::npos;
  });
}

}  // namespace flowspec::test
