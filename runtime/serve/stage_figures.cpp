#include "runtime/serve/stage_figures.hpp"

#include <algorithm>

#include "actors/pipeline/wiring.hpp"

namespace flowspec {

std::vector<openai::StageFigures> stage_figures(const ClusterState& state, double up_s) {
  Wiring wiring(state.layers.size());
  // Stages, verifier, draft.
  if (state.stats.size() != state.layers.size() + 2)
    return {};
  std::vector<openai::StageFigures> result;
  for (std::uint32_t part = 0; part < state.stats.size(); ++part) {
    const StageStats& stats = state.stats[part];
    openai::StageFigures figures;
    figures.stage = part < wiring.stages() ? std::to_string(part) : wiring.name(part);
    figures.node = part < state.places.size() ? state.places[part] : "here";
    auto busy_s = static_cast<double>(stats.busy_ns) / 1e9;
    auto kept = std::min(stats.rows_kept, stats.rows_computed);
    auto share = stats.rows_computed == 0
                     ? 0
                     : static_cast<double>(kept) / static_cast<double>(stats.rows_computed);
    // The draft's rows are guesses: none of them is committed.
    bool is_draft = part == wiring.draft();
    figures.busy_kept_s = is_draft ? busy_s : busy_s * share;
    figures.busy_wasted_s = busy_s - figures.busy_kept_s;
    figures.idle_s = std::max(up_s - busy_s, 0.0);
    figures.rows_kept = kept;
    figures.rows_wasted = is_draft ? 0 : stats.rows_computed - kept;
    figures.rows_dropped = stats.rows_dropped;
    figures.segments = stats.segments;
    figures.sessions = stats.sessions;
    figures.kv_slots_used = stats.kv_slots_used;
    figures.kv_slots = stats.kv_slots;
    figures.kv_bytes = stats.kv_bytes;
    result.push_back(std::move(figures));
  }
  return result;
}

openai::PipelineFigures pipeline_figures(const ClusterState& state) {
  openai::PipelineFigures figures;
  figures.drafts = state.totals.verifications;
  figures.prefix_queries = state.totals.prompt_tokens;
  figures.prefix_hits = state.totals.cached_tokens;
  if (state.stats.size() == state.layers.size() + 2 && !state.layers.empty()) {
    figures.draft_tokens = state.stats.back().guesses;
    figures.accepted_tokens = state.stats.back().right_guesses;
    figures.kv_blocks_used = state.stats.front().kv_slots_used;
    figures.kv_blocks = state.stats.front().kv_slots;
  }
  return figures;
}

}  // namespace flowspec
