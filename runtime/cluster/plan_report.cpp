#include "runtime/cluster/plan_report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/console/output.hpp"
#include "runtime/console/text_table.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::ordered_json;

double read_rate(const LayerSpeed& speed) {
  return static_cast<double>(speed.layer_bytes) / static_cast<double>(speed.row_ns) * 1e9;
}

std::string milliseconds(double seconds) {
  return fmt::format("{:.2f}", seconds * 1e3);
}

std::string nodes_table(const PlanReport& report) {
  TextTable table({"node", "threads", "free", "GB/s", "1 row\nms", "16 rows\nms", "64 rows\nms"});
  for (const PlanCandidate& node : report.nodes) {
    std::vector<std::string> cells{node.name};
    if (const auto& speed = node.info.speed) {
      cells.push_back(std::to_string(speed->threads));
      cells.push_back(memory_text(node.info.free_memory_bytes));
      cells.push_back(fmt::format("{:.1f}", read_rate(*speed) * 1e-9));
      for (double rows : {1, 16, 64})
        cells.push_back(fmt::format("{:.3f}", layer_seconds(*speed, rows) * 1e3));
    }
    table.add(std::move(cells));
  }
  return table.text();
}

std::string place(const PlanReport& report, std::size_t number) {
  return number < report.nodes.size() ? report.nodes[number].name : "here";
}

std::string stages_table(const PlanReport& report) {
  TextTable table({"stage", "layers", "memory", "way to it\nms", "computes\nms"});
  for (const PlannedStage& stage : report.plan.stages)
    table.add({report.nodes[stage.node].name,
               fmt::format("{}-{}", stage.layers.first, stage.layers.end - 1),
               memory_text(stage.memory), milliseconds(stage.link_s + stage.latency_s),
               milliseconds(stage.seconds)});
  table.add({"back here", "", "",
             milliseconds(report.plan.last_link_s + report.plan.last_latency_s), ""});
  return table.text();
}

/// Links that do not exist, of nodes that have joined.
std::string missing_links(const PlanReport& report) {
  std::string text;
  const auto& nodes = report.nodes;
  for (std::size_t from = 0; from < nodes.size(); ++from)
    for (std::size_t to = 0; to < nodes.size(); ++to)
      if (from != to && nodes[from].refusal.empty() && nodes[to].refusal.empty() &&
          !report.request.links[from][to].reaches)
        text += fmt::format("{} does not reach {}\n", nodes[from].name, nodes[to].name);
  return text;
}

}  // namespace

std::string plan_table(const PlanReport& report) {
  const Plan& plan = report.plan;
  auto rows = planned_rows(report.mode);
  auto text = fmt::format("A layer of {}, as measured:\n{}\n{}\n", report.model,
                          nodes_table(report), stages_table(report));
  text += fmt::format(
      "With {} row{} in a segment a step takes {} (the slowest stage or link), a trip through all "
      "{}: {} a token in the mode {}, without the draft and the verifier.\n",
      rows, rows == 1 ? "" : "s", time_text(plan.step_s), time_text(plan.trip_s),
      time_text(plan.token_s), report.mode);
  text += missing_links(report);
  for (const LeftOut& left : plan.left_out)
    text += fmt::format("Left out: {}: {}\n", report.nodes[left.node].name, left.why);
  return wrap(text, usual_columns);
}

std::string plan_json(const PlanReport& report) {
  const Plan& plan = report.plan;
  Json json{{"model", report.model},
            {"mode", report.mode},
            {"rows", planned_rows(report.mode)},
            {"context", report.context},
            {"nodes", Json::array()},
            {"links", Json::array()},
            {"stages", Json::array()},
            {"back_ms", (plan.last_link_s + plan.last_latency_s) * 1e3},
            {"step_ms", plan.step_s * 1e3},
            {"trip_ms", plan.trip_s * 1e3},
            {"token_ms", plan.token_s * 1e3},
            {"left_out", Json::array()},
            {"error", nullptr}};
  for (const PlanCandidate& node : report.nodes) {
    Json entry{{"name", node.name},
               {"cores", node.info.cores},
               {"memory_bytes", node.info.memory_bytes},
               {"free_memory_bytes", node.info.free_memory_bytes},
               {"kv_limit_bytes", node.info.kv_limit_bytes}};
    if (const auto& speed = node.info.speed) {
      entry["threads"] = speed->threads;
      entry["weights_bytes_per_s"] = read_rate(*speed);
      entry["layer_ms"] = {{"1", layer_seconds(*speed, 1) * 1e3},
                           {"16", layer_seconds(*speed, 16) * 1e3},
                           {"64", layer_seconds(*speed, 64) * 1e3}};
    }
    json["nodes"].push_back(std::move(entry));
  }
  for (std::size_t from = 0; from < report.request.links.size(); ++from)
    for (std::size_t to = 0; to < report.request.links.size(); ++to)
      if (const PlanLink& link = report.request.links[from][to]; from != to)
        json["links"].push_back({{"from", place(report, from)},
                                 {"to", place(report, to)},
                                 {"reaches", link.reaches},
                                 {"latency_ms", link.latency_s * 1e3},
                                 {"bytes_per_s", link.bytes_per_s}});
  for (const PlannedStage& stage : plan.stages)
    json["stages"].push_back({{"node", place(report, stage.node)},
                              {"layers", {stage.layers.first, stage.layers.end}},
                              {"memory_bytes", stage.memory},
                              {"link_ms", stage.link_s * 1e3},
                              {"latency_ms", stage.latency_s * 1e3},
                              {"compute_ms", stage.seconds * 1e3}});
  for (const LeftOut& left : plan.left_out)
    json["left_out"].push_back({{"node", place(report, left.node)}, {"why", left.why}});
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string plan_json_error(const std::string& error) {
  return Json{{"stages", Json::array()}, {"error", error}}.dump(-1, ' ', false,
                                                                Json::error_handler_t::replace);
}

}  // namespace flowspec
