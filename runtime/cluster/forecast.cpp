#include "runtime/cluster/forecast.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "models/kv/host_kv_cache.hpp"
#include "models/layers/cpu_stage_model.hpp"

namespace flowspec {

namespace {

/// Ids, token and position of a row on its way to the first stage.
constexpr double id_row_bytes = 24;

/// How much more than the measured layer a layer has to read, or less.
double relative_size(const OpenModel& model, const LayerSpeed& speed, std::uint32_t layer) {
  auto bytes = CpuStageModel::stored_bytes(*model.files, model.config, {layer, layer + 1});
  if (layer == 0)
    bytes -= CpuStageModel::stored_bytes(*model.files, model.config, {0, 0});
  return static_cast<double>(bytes) / static_cast<double>(speed.layer_bytes);
}

PlanNode plan_node(const PlanTask& task, const PlanCandidate& candidate, double rows) {
  const NodeInfo& info = candidate.info;
  PlanNode node;
  node.name = candidate.name;
  node.refusal = candidate.refusal;
  if (node.refusal.empty() && info.max_stages != 0 && info.stages >= info.max_stages)
    node.refusal = fmt::format("all of its {} stages (--max-stages) are in use", info.max_stages);
  if (node.refusal.empty() && !info.speed)
    node.refusal = info.no_speed.empty() ? "it has not measured its speed" : info.no_speed;
  if (!node.refusal.empty())
    return node;
  for (std::uint32_t layer = 0; layer < task.model.config.layers; ++layer)
    node.layer_s.push_back(layer_seconds(*info.speed, rows) *
                           relative_size(task.model, *info.speed, layer));
  constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
  node.memory = info.free_memory_bytes == 0 ? unlimited
                                            : info.free_memory_bytes - info.free_memory_bytes / 20;
  node.kv_limit = info.kv_limit_bytes == 0 ? unlimited : info.kv_limit_bytes;
  return node;
}

}  // namespace

double planned_rows(std::string_view mode) {
  constexpr double usual = 16;
  return mode == "ar" ? 1 : usual;
}

double layer_seconds(const LayerSpeed& speed, double rows) {
  auto between = [rows](double from, double to, std::uint64_t from_ns, std::uint64_t to_ns) {
    return std::lerp(static_cast<double>(from_ns), static_cast<double>(to_ns),
                     (rows - from) / (to - from)) *
           1e-9;
  };
  if (rows <= 1)
    return static_cast<double>(speed.row_ns) * 1e-9;
  if (rows <= 16)
    return between(1, 16, speed.row_ns, speed.rows16_ns);
  if (rows <= 64)
    return between(16, 64, speed.rows16_ns, speed.rows64_ns);
  return static_cast<double>(speed.rows64_ns) * 1e-9 * rows / 64;
}

PlanRequest plan_request(const PlanTask& task, const std::vector<PlanCandidate>& candidates,
                         std::vector<std::vector<PlanLink>> links) {
  const auto& [files, config] = task.model;
  PlanRequest request;
  auto rows = planned_rows(task.mode);
  // Of no layers: scratch memory alone.
  request.stage_memory = CpuStageModel::needed_bytes(*files, config, {1, 1}, task.max_rows);
  for (std::uint32_t layer = 0; layer < config.layers; ++layer)
    request.layers.push_back(
        {CpuStageModel::needed_bytes(*files, config, {layer, layer + 1}, task.max_rows) -
             request.stage_memory,
         HostKvCache::bytes_for(1, config.kv_heads, config.head_dim, task.slots, task.kv_type)});
  for (const PlanCandidate& candidate : candidates)
    request.nodes.push_back(plan_node(task, candidate, rows));
  request.links = std::move(links);
  request.first_bytes = rows * id_row_bytes;
  request.hop_bytes = rows * config.hidden_size * bytes_of(task.hidden_type);
  request.pipelined = pipelined_share(task.mode);
  request.slack = 0.05;
  return request;
}

LayerSpeed stage_speed(const OpenModel& model, const LayerSpeed& layer, LayerRange layers) {
  double sizes = 0;
  for (auto i = layers.first; i < layers.end; ++i)
    sizes += relative_size(model, layer, i);
  auto times = [sizes](std::uint64_t ns) {
    return static_cast<std::uint64_t>(std::llround(static_cast<double>(ns) * sizes));
  };
  return {layer.threads, times(layer.layer_bytes), times(layer.row_ns), times(layer.rows16_ns),
          times(layer.rows64_ns)};
}

}  // namespace flowspec
