#pragma once
/// Asks the pipeline how it is, for those who want to know. For the files of this room that know CAF.

#include <functional>
#include <memory>
#include <string>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include "runtime/http/http_reply.hpp"
#include "runtime/serve/cluster_view.hpp"
#include "runtime/serve/pipeline_answers.hpp"

namespace flowspec {

/// To the watch: this client wants to see the pipeline.
struct PipelineLook {
  enum class What { events, cluster, metrics } what = What::events;
  std::shared_ptr<HttpReply> reply;
};

/// Asks the coordinator while somebody looks: four times a second for events, else once for each that
/// asks. `shape` has what does not change.
caf::actor spawn_watch(const std::shared_ptr<PipelineAnswers>& shared, ClusterState shape);

}  // namespace flowspec

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(flowspec::PipelineLook)
