#pragma once
/// What a server counts, for Prometheus (GET /metrics).
///
/// Requests and latencies have vLLM's names behind `flowspec:`, so that its dashboards need only another
/// prefix; the `spec_decode_*` names are those that vLLM and llama.cpp have in common. Every metric has the
/// label `model_name`. config/grafana/flowspec.json shows them all.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "messages/types.hpp"

namespace flowspec::openai {

/// How a request went that was started. Times are of one steady clock, in seconds.
struct FinishedRequest {
  Finish finish = Finish::end_of_text;
  std::uint64_t prompt_tokens = 0;
  /// Of the prompt: those that were not computed again.
  std::uint64_t cached_tokens = 0;
  std::uint64_t generated_tokens = 0;
  /// From its arrival to its end.
  double total_s = 0;
  double prefill_s = 0;
  double decode_s = 0;
};

/// What a part of the pipeline has done since it was made, and has now.
struct StageFigures {
  /// "0", "1", ..., "draft", "verifier".
  std::string stage;
  /// Name or address of its node.
  std::string node;
  /// Time spent on rows that were committed later, on others, and waiting for work.
  double busy_kept_s = 0;
  double busy_wasted_s = 0;
  double idle_s = 0;
  std::uint64_t rows_kept = 0;
  /// Computed, and not committed.
  std::uint64_t rows_wasted = 0;
  /// Dead before they were computed.
  std::uint64_t rows_dropped = 0;
  std::uint64_t segments = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  /// Segments, or frames, that wait for it.
  std::uint64_t queue = 0;
  std::uint64_t sessions = 0;
  std::uint64_t kv_slots_used = 0;
  std::uint64_t kv_slots = 0;
  std::uint64_t kv_bytes = 0;
};

/// What all requests together have done since the start.
struct PipelineFigures {
  /// Guessed tokens that were verified, those of them that were right, and how many trees there were.
  std::uint64_t draft_tokens = 0;
  std::uint64_t accepted_tokens = 0;
  std::uint64_t drafts = 0;
  /// Of the first guess of a tree, the second, ...: how many were right. The first 32 count.
  std::vector<std::uint64_t> accepted_per_position{};
  /// Tokens of prompts that were looked for among the kept ones, and those that were found.
  std::uint64_t prefix_queries = 0;
  std::uint64_t prefix_hits = 0;
  std::uint64_t preemptions = 0;
  /// Of the KV blocks that there are.
  std::uint64_t kv_blocks_used = 0;
  std::uint64_t kv_blocks = 0;
};

/// Counts. For any thread.
class Metrics {
 public:
  /// @param model  the label `model_name` of everything.
  explicit Metrics(const std::string& model);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// A checked request waits for its turn: one for each of its answers.
  void request_received();
  /// A waiting one is being computed, after so many seconds.
  void request_started(double waited_s);
  /// A waiting one will never be: it has been refused, or its client has gone.
  void request_dropped();
  /// Seconds since the request came.
  void first_token(double since_received_s);
  /// Later tokens, which came together, so many seconds after those before them. Every one counts as a
  /// gap of its share, so that the mean is the time per token.
  void more_tokens(std::uint64_t count, double gap_s);
  /// A started one has ended.
  void request_finished(const FinishedRequest& request);
  /// An answer of the server, to whatever request.
  void http_answered(int status);
  /// The pipeline stood still, for so many seconds, until it was mended.
  void recovered(double seconds);
  /// 1 while the server is ready to answer, else 0.
  void set_ready(bool ready);

  /// The newest figures of all stages; those that are not among them any more are forgotten. A figure that
  /// has become less is that of a new stage.
  void update(std::span<const StageFigures> stages);
  void update(const PipelineFigures& figures);

  /// Prometheus' text format, version 0.0.4.
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The content type of `Metrics::text`.
inline constexpr const char* metrics_type = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace flowspec::openai
