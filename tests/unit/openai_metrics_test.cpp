/// What is counted, as Prometheus reads it, and that the dashboard shows what there is.

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "runtime/openai/metrics.hpp"
#include "tests/support/paths.hpp"

using namespace flowspec;
using namespace flowspec::openai;

namespace {

bool has(const Metrics& metrics, const std::string& line) {
  auto text = metrics.text();
  return text.starts_with(line + "\n") || text.find("\n" + line + "\n") != std::string::npos;
}

StageFigures stage(const std::string& name, const std::string& node) {
  StageFigures figures;
  figures.stage = name;
  figures.node = node;
  return figures;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(openai_metrics)

BOOST_AUTO_TEST_CASE(a_request_from_its_arrival_to_its_end) {
  Metrics metrics("story");
  metrics.request_received();
  BOOST_TEST(has(metrics, R"(flowspec:num_requests_waiting{model_name="story"} 1)"));
  metrics.request_started(0.4);
  BOOST_TEST(has(metrics, R"(flowspec:num_requests_waiting{model_name="story"} 0)"));
  BOOST_TEST(has(metrics, R"(flowspec:num_requests_running{model_name="story"} 1)"));
  metrics.first_token(0.5);
  metrics.more_tokens(4, 0.8);
  metrics.request_finished({.finish = Finish::stop_string,
                            .prompt_tokens = 7,
                            .cached_tokens = 4,
                            .generated_tokens = 5,
                            .total_s = 1.3,
                            .prefill_s = 0.1,
                            .decode_s = 0.75});
  for (const char* line :
       {R"(flowspec:num_requests_running{model_name="story"} 0)",
        R"(flowspec:request_success_total{model_name="story",finished_reason="stop"} 1)",
        R"(flowspec:request_success_total{model_name="story",finished_reason="length"} 0)",
        R"(flowspec:prompt_tokens_total{model_name="story"} 7)",
        R"(flowspec:prompt_tokens_cached_total{model_name="story"} 4)",
        R"(flowspec:generation_tokens_total{model_name="story"} 5)",
        R"(flowspec:time_to_first_token_seconds_bucket{model_name="story",le="0.5"} 1)",
        R"(flowspec:time_to_first_token_seconds_bucket{model_name="story",le="0.25"} 0)",
        R"(flowspec:inter_token_latency_seconds_count{model_name="story"} 4)",
        R"(flowspec:inter_token_latency_seconds_bucket{model_name="story",le="0.2"} 4)",
        R"(flowspec:inter_token_latency_seconds_bucket{model_name="story",le="0.15"} 0)",
        R"(flowspec:e2e_request_latency_seconds_bucket{model_name="story",le="1.5"} 1)",
        R"(flowspec:request_queue_time_seconds_bucket{model_name="story",le="0.5"} 1)",
        R"(flowspec:request_prefill_time_seconds_bucket{model_name="story",le="0.3"} 1)",
        R"(flowspec:request_decode_time_seconds_bucket{model_name="story",le="0.8"} 1)",
        R"(flowspec:request_prompt_tokens_bucket{model_name="story",le="10"} 1)",
        R"(flowspec:request_generation_tokens_bucket{model_name="story",le="5"} 1)"})
    BOOST_TEST_CONTEXT(line) BOOST_TEST(has(metrics, line));
}

BOOST_AUTO_TEST_CASE(failures_and_clients_that_go_do_not_count_as_successes) {
  Metrics metrics("story");
  for (int i = 0; i < 3; ++i)
    metrics.request_received();
  metrics.request_dropped();
  for (Finish finish : {Finish::failed, Finish::cancelled}) {
    metrics.request_started(0);
    metrics.request_finished({.finish = finish, .generated_tokens = 2});
  }
  BOOST_TEST(has(metrics, R"(flowspec:num_requests_waiting{model_name="story"} 0)"));
  BOOST_TEST(has(metrics, R"(flowspec:num_requests_running{model_name="story"} 0)"));
  BOOST_TEST(has(metrics, R"(flowspec:request_failed_total{model_name="story"} 1)"));
  BOOST_TEST(has(metrics, R"(flowspec:request_cancelled_total{model_name="story"} 1)"));
  BOOST_TEST(has(metrics, R"(flowspec:generation_tokens_total{model_name="story"} 4)"));
  BOOST_TEST(has(metrics, R"(flowspec:e2e_request_latency_seconds_count{model_name="story"} 0)"));
}

BOOST_AUTO_TEST_CASE(figures_of_stages) {
  Metrics metrics("story");
  auto first = stage("0", "board-1");
  first.busy_kept_s = 1.5;
  first.busy_wasted_s = 0.5;
  first.idle_s = 2;
  first.rows_kept = 10;
  first.rows_wasted = 5;
  first.rows_dropped = 1;
  first.segments = 3;
  first.bytes_in = 100;
  first.bytes_out = 200;
  first.queue = 2;
  first.sessions = 4;
  first.kv_slots_used = 6;
  first.kv_slots = 64;
  first.kv_bytes = 1024;
  metrics.update(std::vector{first});
  const std::string place = R"({model_name="story",node="board-1",)";
  const std::vector<std::string> lines{
      "flowspec:stage_busy_seconds_total" + place + R"(outcome="kept",stage="0"} 1.5)",
      "flowspec:stage_busy_seconds_total" + place + R"(outcome="wasted",stage="0"} 0.5)",
      "flowspec:stage_idle_seconds_total" + place + R"(stage="0"} 2)",
      "flowspec:rows_total" + place + R"(outcome="kept",stage="0"} 10)",
      "flowspec:rows_total" + place + R"(outcome="wasted",stage="0"} 5)",
      "flowspec:rows_total" + place + R"(outcome="dropped",stage="0"} 1)",
      "flowspec:stage_segments_total" + place + R"(stage="0"} 3)",
      R"(flowspec:stage_bytes_total{model_name="story",direction="in",node="board-1",stage="0"} 100)",
      R"(flowspec:stage_bytes_total{model_name="story",direction="out",node="board-1",stage="0"} 200)",
      "flowspec:stage_queue" + place + R"(stage="0"} 2)",
      "flowspec:stage_sessions" + place + R"(stage="0"} 4)",
      "flowspec:stage_kv_slots_used" + place + R"(stage="0"} 6)",
      "flowspec:stage_kv_slots" + place + R"(stage="0"} 64)",
      "flowspec:stage_kv_bytes" + place + R"(stage="0"} 1024)"};
  for (const auto& line : lines)
    BOOST_TEST_CONTEXT(line) BOOST_TEST(has(metrics, line));
}

BOOST_AUTO_TEST_CASE(stages_come_go_and_begin_anew) {
  Metrics metrics("story");
  auto first = stage("0", "board-1");
  first.segments = 10;
  auto second = stage("1", "board-2");
  const std::string line =
      R"(flowspec:stage_segments_total{model_name="story",node="board-1",stage="0"} )";
  metrics.update(std::vector{first, second});
  BOOST_TEST(has(metrics, line + "10"));
  first.segments = 12;
  metrics.update(std::vector{first, second});
  BOOST_TEST(has(metrics, line + "12"));
  // A new stage in its place counts from 0, and the counter goes on.
  first.segments = 3;
  metrics.update(std::vector{first});
  BOOST_TEST(has(metrics, line + "15"));
  BOOST_TEST(metrics.text().find("board-2") == std::string::npos);
  metrics.update(std::vector<StageFigures>{});
  BOOST_TEST(metrics.text().find("board-1") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(speculation_kv_and_recoveries) {
  Metrics metrics("story");
  metrics.update(PipelineFigures{.draft_tokens = 100,
                                 .accepted_tokens = 60,
                                 .drafts = 20,
                                 .accepted_per_position = {15, 9},
                                 .prefix_queries = 30,
                                 .prefix_hits = 12,
                                 .preemptions = 1,
                                 .kv_blocks_used = 3,
                                 .kv_blocks = 12});
  metrics.recovered(4);
  metrics.http_answered(200);
  metrics.http_answered(429);
  metrics.set_ready(true);
  for (const char* line :
       {R"(spec_decode_num_draft_tokens_total{model_name="story"} 100)",
        R"(spec_decode_num_accepted_tokens_total{model_name="story"} 60)",
        R"(spec_decode_num_drafts_total{model_name="story"} 20)",
        R"(spec_decode_num_accepted_tokens_per_pos_total{model_name="story",position="0"} 15)",
        R"(spec_decode_num_accepted_tokens_per_pos_total{model_name="story",position="1"} 9)",
        R"(flowspec:prefix_cache_queries_total{model_name="story"} 30)",
        R"(flowspec:prefix_cache_hits_total{model_name="story"} 12)",
        R"(flowspec:num_preemptions_total{model_name="story"} 1)",
        R"(flowspec:kv_cache_usage_perc{model_name="story"} 0.25)",
        R"(flowspec:kv_blocks{model_name="story"} 12)",
        R"(flowspec:recovery_seconds_bucket{model_name="story",le="5"} 1)",
        R"(flowspec:http_responses_total{model_name="story",status="429"} 1)",
        R"(flowspec:ready{model_name="story"} 1)"})
    BOOST_TEST_CONTEXT(line) BOOST_TEST(has(metrics, line));
}

BOOST_AUTO_TEST_CASE(several_threads_count_at_once) {
  Metrics metrics("story");
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int request = 0; request < 50; ++request) {
        metrics.request_received();
        metrics.request_started(0.1);
        metrics.update(std::vector{stage("0", "board-" + std::to_string(request % 3))});
        metrics.http_answered(200 + request % 2);
        metrics.text();
        metrics.request_finished({.generated_tokens = 1});
      }
    });
  threads.clear();
  BOOST_TEST(has(metrics, R"(flowspec:generation_tokens_total{model_name="story"} 200)"));
  BOOST_TEST(has(metrics, R"(flowspec:num_requests_running{model_name="story"} 0)"));
}

BOOST_AUTO_TEST_CASE(the_dashboard_shows_every_metric_and_no_other) {
  Metrics metrics("story");
  metrics.update(std::vector{stage("0", "board-1")});
  metrics.update(PipelineFigures{.accepted_per_position = {1}});
  metrics.http_answered(200);
  std::set<std::string> there;
  std::istringstream lines(metrics.text());
  const std::string mark = "# TYPE ";
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(mark))
      there.insert(line.substr(mark.size(), line.find(' ', mark.size()) - mark.size()));

  std::ifstream file(test::source_path("config/grafana/flowspec.json"));
  auto dashboard = nlohmann::json::parse(file);
  std::set<std::string> shown;
  for (const auto& panel : dashboard["panels"])
    for (const auto& target : panel.value("targets", nlohmann::json::array())) {
      const std::string expression = target["expr"];
      const std::regex name("(flowspec:[a-z0-9_]+|spec_decode_[a-z0-9_]+)");
      for (std::sregex_iterator found(expression.begin(), expression.end(), name), end;
           found != end; ++found)
        shown.insert(std::regex_replace(found->str(), std::regex("_(bucket|sum|count)$"), ""));
    }
  BOOST_TEST(there == shown, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
