#pragma once

#include <vector>

#include "runtime/openai/metrics.hpp"
#include "runtime/serve/cluster_view.hpp"

namespace flowspec {

/// What metrics tell of the hops; nothing if not all of them have answered.
/// @param up_s  seconds since the pipeline was made.
std::vector<openai::StageFigures> stage_figures(const ClusterState& state, double up_s);
openai::PipelineFigures pipeline_figures(const ClusterState& state);

}  // namespace flowspec
