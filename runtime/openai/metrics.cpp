#include "runtime/openai/metrics.hpp"

#include <algorithm>
#include <mutex>

#include <fmt/format.h>
#include <prometheus/histogram.h>
#include <prometheus/text_serializer.h>

#include "runtime/openai/answers.hpp"
#include "runtime/openai/stage_metrics.hpp"

namespace flowspec::openai {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using prometheus::Registry;

namespace {

using Buckets = Histogram::BucketBoundaries;

/// vLLM's, so that histograms of both can be put side by side.
const Buckets first_token_buckets{.001, .005, .01, .02, .04, .06, .08, .1, .25, .5,  .75,
                                  1,    2.5,  5,   7.5, 10,  20,  40,  80, 160, 640, 2560};
const Buckets gap_buckets{.01, .025, .05, .075, .1,  .15, .2, .3, .4, .5,
                          .75, 1,    2.5, 5,    7.5, 10,  20, 40, 80};
const Buckets request_buckets{.3, .5, .8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                              30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
const Buckets token_buckets{1,   2,    5,    10,   20,    50,    100,   200,
                            500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};
const Buckets recovery_buckets{.1, .25, .5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 120, 300};

/// Positions of guesses that are told apart.
constexpr std::size_t most_positions = 32;

}  // namespace

struct Metrics::State {
  explicit State(const std::string& model) : labels{{"model_name", model}} {}

  Counter& counter(const char* name, const char* help) {
    return BuildCounter().Name(name).Help(help).Labels(labels).Register(registry).Add({});
  }
  Gauge& gauge(const char* name, const char* help) {
    return BuildGauge().Name(name).Help(help).Labels(labels).Register(registry).Add({});
  }
  Histogram& histogram(const char* name, const char* help, const Buckets& buckets) {
    return BuildHistogram().Name(name).Help(help).Labels(labels).Register(registry).Add({},
                                                                                        buckets);
  }
  Family<Counter>& counters(const char* name, const char* help) {
    return BuildCounter().Name(name).Help(help).Labels(labels).Register(registry);
  }

  std::mutex mutex;
  Registry registry;
  Labels labels;

  Gauge& running = gauge("flowspec:num_requests_running", "Requests that are being computed.");
  Gauge& waiting = gauge("flowspec:num_requests_waiting", "Requests that wait for their turn.");
  Gauge& ready = gauge("flowspec:ready", "Whether the server is ready to answer.");
  Gauge& kv_usage = gauge("flowspec:kv_cache_usage_perc", "Part of the KV that is taken, 0 to 1.");
  Gauge& kv_blocks_used = gauge("flowspec:kv_blocks_used", "KV blocks that are taken.");
  Gauge& kv_blocks = gauge("flowspec:kv_blocks", "KV blocks that there are.");

  Counter& prompt_tokens = counter("flowspec:prompt_tokens_total", "Tokens of prompts.");
  Counter& cached_tokens = counter("flowspec:prompt_tokens_cached_total",
                                   "Tokens of prompts that were not computed again.");
  Counter& generated_tokens = counter("flowspec:generation_tokens_total", "Tokens of answers.");
  Family<Counter>& finished = counters("flowspec:request_success_total",
                                       "Requests that were answered, by the reason of their end.");
  Counter& failed = counter("flowspec:request_failed_total", "Requests that ended by an error.");
  Counter& cancelled =
      counter("flowspec:request_cancelled_total", "Requests whose client has gone.");
  Family<Counter>& answered =
      counters("flowspec:http_responses_total", "Answers of the server, by HTTP status.");

  Histogram& first_token =
      histogram("flowspec:time_to_first_token_seconds",
                "From the arrival of a request to its first token.", first_token_buckets);
  Histogram& gap =
      histogram("flowspec:inter_token_latency_seconds",
                "Time per token after the first; tokens that came together share it.", gap_buckets);
  Histogram& total = histogram("flowspec:e2e_request_latency_seconds",
                               "From the arrival of a request to its end.", request_buckets);
  Histogram& queued = histogram("flowspec:request_queue_time_seconds",
                                "Time that a request waited for its turn.", request_buckets);
  Histogram& prefill = histogram("flowspec:request_prefill_time_seconds",
                                 "Time to compute a request's prompt.", request_buckets);
  Histogram& decode = histogram("flowspec:request_decode_time_seconds",
                                "Time from a request's first token to its last.", request_buckets);
  Histogram& prompt_sizes =
      histogram("flowspec:request_prompt_tokens", "Tokens of a request's prompt.", token_buckets);
  Histogram& answer_sizes = histogram("flowspec:request_generation_tokens",
                                      "Tokens of a request's answer.", token_buckets);
  Histogram& recovery =
      histogram("flowspec:recovery_seconds",
                "How long the pipeline stood still until it was mended.", recovery_buckets);

  Follower prefix_queries{counter("flowspec:prefix_cache_queries_total",
                                  "Tokens of prompts that were looked for among the kept ones.")};
  Follower prefix_hits{
      counter("flowspec:prefix_cache_hits_total", "Tokens of prompts that were found there.")};
  Follower preemptions{counter("flowspec:num_preemptions_total",
                               "Requests that had to make room and were continued later.")};
  Follower draft_tokens{
      counter("spec_decode_num_draft_tokens_total", "Guessed tokens that were verified.")};
  Follower accepted_tokens{
      counter("spec_decode_num_accepted_tokens_total", "Guessed tokens that were right.")};
  Follower drafts{counter("spec_decode_num_drafts_total", "Trees of guesses.")};
  Family<Counter>& per_position =
      counters("spec_decode_num_accepted_tokens_per_pos_total",
               "Right guesses, by their position after the last token.");
  std::vector<Follower> positions;

  StageMetrics stages{registry, labels};
};

Metrics::Metrics(const std::string& model) : state_(std::make_unique<State>(model)) {
  // What can be counted is there from the beginning, as 0.
  for (Finish finish : {Finish::end_of_text, Finish::length})
    state_->finished.Add({{"finished_reason", std::string(finish_reason(finish))}});
}

Metrics::~Metrics() = default;

void Metrics::request_received() {
  state_->waiting.Increment();
}

void Metrics::request_started(double waited_s) {
  state_->waiting.Decrement();
  state_->running.Increment();
  state_->queued.Observe(waited_s);
}

void Metrics::request_dropped() {
  state_->waiting.Decrement();
}

void Metrics::first_token(double since_received_s) {
  state_->first_token.Observe(since_received_s);
}

void Metrics::more_tokens(std::uint64_t count, double gap_s) {
  for (std::uint64_t i = 0; i < count; ++i)
    state_->gap.Observe(gap_s / static_cast<double>(count));
}

void Metrics::request_finished(const FinishedRequest& request) {
  auto& state = *state_;
  state.running.Decrement();
  state.prompt_tokens.Increment(static_cast<double>(request.prompt_tokens));
  state.cached_tokens.Increment(static_cast<double>(request.cached_tokens));
  state.generated_tokens.Increment(static_cast<double>(request.generated_tokens));
  if (request.finish == Finish::failed || request.finish == Finish::cancelled) {
    (request.finish == Finish::failed ? state.failed : state.cancelled).Increment();
    return;
  }
  state.finished.Add({{"finished_reason", std::string(finish_reason(request.finish))}}).Increment();
  state.total.Observe(request.total_s);
  state.prefill.Observe(request.prefill_s);
  state.decode.Observe(request.decode_s);
  state.prompt_sizes.Observe(static_cast<double>(request.prompt_tokens));
  state.answer_sizes.Observe(static_cast<double>(request.generated_tokens));
}

void Metrics::http_answered(int status) {
  state_->answered.Add({{"status", std::to_string(status)}}).Increment();
}

void Metrics::recovered(double seconds) {
  state_->recovery.Observe(seconds);
}

void Metrics::set_ready(bool ready) {
  state_->ready.Set(ready ? 1 : 0);
}

void Metrics::update(std::span<const StageFigures> stages) {
  std::lock_guard lock(state_->mutex);
  state_->stages.update(stages);
}

void Metrics::update(const PipelineFigures& figures) {
  auto& state = *state_;
  std::lock_guard lock(state.mutex);
  state.prefix_queries.follow(static_cast<double>(figures.prefix_queries));
  state.prefix_hits.follow(static_cast<double>(figures.prefix_hits));
  state.preemptions.follow(static_cast<double>(figures.preemptions));
  state.draft_tokens.follow(static_cast<double>(figures.draft_tokens));
  state.accepted_tokens.follow(static_cast<double>(figures.accepted_tokens));
  state.drafts.follow(static_cast<double>(figures.drafts));
  auto positions = std::min(figures.accepted_per_position.size(), most_positions);
  for (std::size_t i = 0; i < positions; ++i) {
    if (i == state.positions.size())
      state.positions.emplace_back(state.per_position.Add({{"position", std::to_string(i)}}));
    state.positions[i].follow(static_cast<double>(figures.accepted_per_position[i]));
  }
  state.kv_blocks_used.Set(static_cast<double>(figures.kv_blocks_used));
  state.kv_blocks.Set(static_cast<double>(figures.kv_blocks));
  state.kv_usage.Set(figures.kv_blocks == 0 ? 0
                                            : static_cast<double>(figures.kv_blocks_used) /
                                                  static_cast<double>(figures.kv_blocks));
}

std::string Metrics::text() const {
  std::lock_guard lock(state_->mutex);
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace flowspec::openai
