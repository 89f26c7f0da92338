#include "runtime/serve/cluster_view.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/pipeline/wiring.hpp"
#include "runtime/cluster/forecast.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::ordered_json;

std::string_view word(ServeHealth health) {
  switch (health) {
    case ServeHealth::loading:
      return "loading";
    case ServeHealth::ready:
      return "ready";
    case ServeHealth::degraded:
      return "degraded";
  }
  return "";
}

std::string_view word(SessionPhase phase) {
  switch (phase) {
    case SessionPhase::waiting:
      return "waiting";
    case SessionPhase::prompt:
      return "prompt";
    case SessionPhase::text:
      return "text";
    case SessionPhase::paused:
      return "paused";
  }
  return "";
}

std::string_view kind_of(const Wiring& wiring, std::uint32_t part) {
  if (part < wiring.stages())
    return "stage";
  return part == wiring.verifier() ? "verifier" : "draft";
}

Wiring wiring_of(const ClusterState& state) {
  return Wiring(state.layers.size());
}

const std::string& place_of(const ClusterState& state, std::uint32_t part) {
  static const std::string here = "here";
  return part < state.places.size() && !state.places[part].empty() ? state.places[part] : here;
}

/// Null: it is not known.
const StageStats* stats_of(const ClusterState& state, std::uint32_t part) {
  // The tree pruner, the last part, has no statistics.
  return state.stats.size() + 1 == wiring_of(state).parts() ? &state.stats[part] : nullptr;
}

/// As rows pass them.
std::vector<std::uint32_t> hops_in_order(const Wiring& wiring) {
  std::vector<std::uint32_t> parts{wiring.draft()};
  for (std::uint32_t i = 0; i < wiring.stages(); ++i)
    parts.push_back(i);
  parts.push_back(wiring.verifier());
  return parts;
}

void add_figures(Json& json, const StageStats* stats) {
  if (stats == nullptr) {
    for (const char* name : {"busy_us", "segments", "rows", "rows_kept", "rows_dropped", "kv"})
      json[name] = nullptr;
    return;
  }
  json["busy_us"] = stats->busy_ns / 1000;
  json["segments"] = stats->segments;
  json["rows"] = stats->rows_computed;
  json["rows_kept"] = stats->rows_kept;
  json["rows_dropped"] = stats->rows_dropped;
  json["kv"] = {
      {"used", stats->kv_slots_used}, {"slots", stats->kv_slots}, {"bytes", stats->kv_bytes}};
}

Json recent_segments(const StageStats* stats) {
  if (stats == nullptr)
    return nullptr;
  auto list = Json::array();
  for (const SegmentMark& mark : stats->recent)
    list.push_back({mark.segment, mark.rows, mark.kept, mark.ago_us, mark.busy_us});
  return list;
}

Json segment_time(const ClusterState& state, std::uint32_t stage) {
  Json time{{"measured", nullptr}, {"planned", nullptr}};
  const StageStats* stats = stats_of(state, stage);
  if (stats == nullptr || stats->segments == 0)
    return time;
  auto segments = static_cast<double>(stats->segments);
  time["measured"] = static_cast<double>(stats->busy_ns) * 1e-3 / segments;
  if (stage < state.forecast.size())
    time["planned"] =
        layer_seconds(state.forecast[stage], static_cast<double>(stats->rows_computed) / segments) *
        1e6;
  return time;
}

Json hop_json(const ClusterState& state, const Wiring& wiring, std::uint32_t part) {
  Json json{{"name", wiring.name(part)},
            {"kind", kind_of(wiring, part)},
            {"place", place_of(state, part)}};
  if (part < wiring.stages())
    json["layers"] = {state.layers[part].first, state.layers[part].end};
  add_figures(json, stats_of(state, part));
  return json;
}

std::vector<std::string> parts_at(const ClusterState& state, const std::string& node) {
  std::vector<std::string> parts;
  auto wiring = wiring_of(state);
  for (std::uint32_t part = 0; part < wiring.parts(); ++part)
    if (place_of(state, part) == node)
      parts.push_back(wiring.name(part));
  return parts;
}

Json nodes_json(const ClusterState& state) {
  auto list = Json::array();
  for (const ServedNode& node : state.nodes) {
    auto parts = parts_at(state, node.name);
    const char* word = node.is_lost ? "lost" : parts.empty() ? "spare" : "works";
    list.push_back({{"name", node.name}, {"state", word}, {"parts", parts}});
  }
  return list;
}

Json sessions_json(const ClusterState& state) {
  auto list = Json::array();
  for (const ServedSession& session : state.sessions)
    list.push_back({{"id", session.id},
                    {"phase", word(session.phase)},
                    {"prompt_tokens", session.prompt_tokens},
                    {"cached_tokens", session.cached_tokens},
                    {"tokens", session.tokens},
                    {"verifications", session.verifications},
                    {"age_us", session.age_us}});
  return list;
}

Json tree_json(const ClusterState& state) {
  const StageStats* stats = stats_of(state, wiring_of(state).draft());
  if (stats == nullptr)
    return nullptr;
  return {{"nodes", stats->tree_nodes}, {"sent", stats->tree_sent}};
}

Json news_json(const ClusterState& state) {
  auto list = Json::array();
  for (const ClusterNews& news : state.news)
    list.push_back({{"at_us", news.at_us}, {"text", news.text}});
  return list;
}

/// What event and cluster have in common, but for the hops.
void add_state(Json& json, const ClusterState& state) {
  const ServedTotals& totals = state.totals;
  json["at_us"] = state.at_us;
  json["health"] = word(state.health);
  json["model"] = state.model;
  json["draft"] = state.draft;
  json["mode"] = state.mode;
  json["totals"] = {
      {"requests", totals.requests},           {"tokens", totals.tokens},
      {"prompt_tokens", totals.prompt_tokens}, {"cached_tokens", totals.cached_tokens},
      {"verifications", totals.verifications}, {"recoveries", totals.recoveries},
      {"paused_us", totals.paused_us}};
  json["sessions"] = sessions_json(state);
  json["waiting"] = std::count_if(
      state.sessions.begin(), state.sessions.end(),
      [](const ServedSession& session) { return session.phase == SessionPhase::waiting; });
  json["tree"] = tree_json(state);
  json["nodes"] = nodes_json(state);
  json["news"] = news_json(state);
}

/// Names of files and nodes may have any bytes.
std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const ServedNode* find_node(const ClusterState& state, const std::string& name) {
  auto found = std::find_if(state.nodes.begin(), state.nodes.end(),
                            [&](const ServedNode& node) { return node.name == name; });
  return found == state.nodes.end() ? nullptr : &*found;
}

std::string layers_text(LayerRange layers) {
  return layers.size() == 1 ? fmt::format("layer {}", layers.first)
                            : fmt::format("layers {} to {}", layers.first, layers.end - 1);
}

std::string moved_text(const ClusterState& state, const Wiring& wiring, std::uint32_t part) {
  const std::string& place = place_of(state, part);
  auto where = place == "here" ? std::string("on this machine") : "on " + place;
  if (part < wiring.stages())
    return fmt::format("{} ({}) is {} now", wiring.words(part), layers_text(state.layers[part]),
                       where);
  return fmt::format("{} is {} now", wiring.words(part), where);
}

void add_node_changes(const ClusterState& before, const ClusterState& now,
                      std::vector<std::string>& texts) {
  for (const ServedNode& node : now.nodes) {
    const ServedNode* earlier = find_node(before, node.name);
    if (earlier == nullptr)
      texts.push_back(node.name + " has joined");
    else if (node.is_lost && !earlier->is_lost)
      texts.push_back(node.name + " was lost");
    else if (!node.is_lost && earlier->is_lost)
      texts.push_back(node.name + " is back");
  }
  for (const ServedNode& node : before.nodes)
    if (find_node(now, node.name) == nullptr)
      texts.push_back(node.name + " has left");
}

}  // namespace

void note_losses(const ClusterState& before, ClusterState& now) {
  for (ServedNode& node : now.nodes) {
    const ServedNode* earlier = find_node(before, node.name);
    bool had_parts = !parts_at(before, node.name).empty();
    if (!parts_at(now, node.name).empty())
      node.is_lost = false;
    else if (earlier != nullptr && (earlier->is_lost || had_parts))
      node.is_lost = true;
  }
}

std::vector<std::string> changes(const ClusterState& before, const ClusterState& now) {
  std::vector<std::string> texts;
  // What is there at the start is no news.
  if (before.health == ServeHealth::loading)
    return texts;
  add_node_changes(before, now, texts);

  auto wiring = wiring_of(now);
  bool is_comparable =
      before.layers.size() == now.layers.size() && before.places.size() == now.places.size();
  for (std::uint32_t part = 0; is_comparable && part < wiring.parts(); ++part)
    if (place_of(before, part) != place_of(now, part))
      texts.push_back(moved_text(now, wiring, part));

  if (now.totals.recoveries > before.totals.recoveries) {
    auto paused_us = now.totals.paused_us - std::min(before.totals.paused_us, now.totals.paused_us);
    texts.push_back(paused_us == 0 ? std::string("the text goes on")
                                   : fmt::format("the text goes on, after a pause of {:.2f} s",
                                                 static_cast<double>(paused_us) * 1e-6));
  }
  return texts;
}

std::string state_event_json(const ClusterState& state) {
  Json json;
  add_state(json, state);
  auto wiring = wiring_of(state);
  json["hops"] = Json::array();
  for (std::uint32_t part : hops_in_order(wiring)) {
    auto hop = hop_json(state, wiring, part);
    hop["recent"] = recent_segments(stats_of(state, part));
    json["hops"].push_back(std::move(hop));
  }
  return text_of(json);
}

std::string cluster_json(const ClusterState& state) {
  Json json{{"object", "cluster"}, {"epoch", state.totals.recoveries + 1}};
  add_state(json, state);
  auto wiring = wiring_of(state);
  json["hops"] = Json::array();
  for (std::uint32_t part : hops_in_order(wiring)) {
    auto hop = hop_json(state, wiring, part);
    if (part < wiring.stages())
      hop["segment_us"] = segment_time(state, part);
    json["hops"].push_back(std::move(hop));
  }
  return text_of(json);
}

}  // namespace flowspec
