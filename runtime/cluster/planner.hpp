#pragma once
/// Which nodes compute which layers, chosen by their measured speed, memory and links. Pure logic.
///
/// Two times make up the speed of a pipeline. The *step* is the time of its slowest part, a stage or
/// a link: while segments follow each other, one comes out per step. The *trip* is what one segment
/// takes from the asker through all stages and back. A token whose guess was right costs a step; one
/// that nobody guessed has to wait for a whole trip, as every token does in plain decoding. So the
/// planner minimises
///
///     time of a token = pipelined * step + (1 - pipelined) * trip
///
/// with the share of pipelined tokens that the mode promises. One number tells apart the node that
/// shortens the step by more than it lengthens the trip, and the one that only adds latency. Of plans
/// that take equally long, the one with the shorter trip is chosen.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/base/types.hpp"

namespace flowspec {

/// From one machine to another.
struct PlanLink {
  bool reaches = false;
  double latency_s = 0;
  /// 0: no limit.
  double bytes_per_s = 0;
};

/// Memory of a layer, in bytes.
struct PlanLayer {
  std::uint64_t weights = 0;
  /// Keys and values of the whole context.
  std::uint64_t kv = 0;
};

struct PlanNode {
  /// For messages.
  std::string name;
  /// Time of a segment in each layer, in seconds; at least 0.
  std::vector<double> layer_s;
  /// What each segment costs on top, whatever the number of layers.
  double stage_s = 0;
  /// Bytes for weights, scratch memory and KV.
  std::uint64_t memory = 0;
  /// Most bytes of KV alone.
  std::uint64_t kv_limit = 0;
  /// Why it gets no layers, whatever the figures say; empty: it may.
  std::string refusal = {};
};

struct PlanRequest {
  /// At least one.
  std::vector<PlanLayer> layers;
  std::vector<PlanNode> nodes;
  /// links[from][to]; the asker, from which segments come and to which they return, is the number
  /// after the last node's.
  std::vector<std::vector<PlanLink>> links;
  /// Scratch memory of a stage.
  std::uint64_t stage_memory = 0;
  /// Bytes of a segment on its way to the first stage, and behind it.
  double first_bytes = 0;
  double hop_bytes = 0;
  /// The asker's own part: verifying a segment.
  double head_s = 0;
  /// Share of tokens that cost a step and no trip, from 0 (plain decoding) to 1.
  double pipelined = 0;
  /// A plan in the order of the list is taken if a token costs at most this share more than in the best
  /// one: links are never measured twice alike, and nodes keep the weights of the plan before.
  double slack = 0;
};

struct PlannedStage {
  std::size_t node = 0;
  LayerRange layers;
  /// Time of a segment.
  double seconds = 0;
  /// How long a segment keeps the link to the stage busy, and the link's latency.
  double link_s = 0;
  double latency_s = 0;
  /// Bytes of weights, scratch memory and KV.
  std::uint64_t memory = 0;
};

struct LeftOut {
  std::size_t node = 0;
  /// With the figures.
  std::string why;
};

struct Plan {
  std::vector<PlannedStage> stages;
  /// The link from the last stage to the asker.
  double last_link_s = 0;
  double last_latency_s = 0;
  double step_s = 0;
  double trip_s = 0;
  /// Of a token; what was minimised.
  double token_s = 0;
  std::vector<LeftOut> left_out;
};

/// Up to so many nodes all orders of all subsets are considered. Of more, the order is improved by
/// moving one node at a time, beginning with the fastest first and with the largest first; for each
/// order tried the choice of nodes and layers is the best one.
inline constexpr std::size_t most_ordered_nodes = 10;

/// The best plan. Throws RuntimeError, with the figures, if there is none.
Plan make_plan(const PlanRequest& request);

/// Share of pipelined tokens of a decoding mode: 0 where nothing else is in flight.
double pipelined_share(std::string_view mode);

/// For messages: "13.2 GiB", "250.0 MiB".
std::string memory_text(std::uint64_t bytes);
/// For messages: "12.3 ms".
std::string time_text(double seconds);

/// Steps on the way to a plan, for its own parts only.
namespace planning {

/// Sums over ranges of layers.
class Figures {
 public:
  explicit Figures(const PlanRequest& request);

  std::uint32_t layers() const { return layers_; }
  std::size_t nodes() const { return request_.nodes.size(); }
  /// The number of the asker among the links.
  std::size_t asker() const { return request_.nodes.size(); }
  const PlanRequest& request() const { return request_; }

  double stage_s(std::size_t node, std::uint32_t first, std::uint32_t end) const;
  std::uint64_t memory(std::uint32_t first, std::uint32_t end) const;
  std::uint64_t kv(std::uint32_t first, std::uint32_t end) const;
  /// The end of the longest range from `first` on that fits into the node; `first`: none does.
  std::uint32_t longest(std::size_t node, std::uint32_t first) const;
  bool reaches(std::size_t from, std::size_t to) const { return link(from, to).reaches; }
  double link_s(std::size_t from, std::size_t to) const;
  double latency_s(std::size_t from, std::size_t to) const { return link(from, to).latency_s; }

 private:
  const PlanLink& link(std::size_t from, std::size_t to) const { return request_.links[from][to]; }

  const PlanRequest& request_;
  std::uint32_t layers_;
  std::vector<std::vector<double>> seconds_;
  std::vector<std::uint64_t> weights_;
  std::vector<std::uint64_t> kv_;
  std::vector<std::vector<std::uint32_t>> longest_;
};

/// The least that a plan with the node could take, each by itself; infinite: there is no such plan.
struct Least {
  double step_s = 0;
  double trip_s = 0;
};

/// Why each node that is in no stage is in none.
std::vector<LeftOut> reasons(const Figures& figures, const Plan& plan,
                             const std::vector<Least>& with);
/// Why there is no plan at all.
std::string impossible(const Figures& figures);

}  // namespace planning

}  // namespace flowspec
