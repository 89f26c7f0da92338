#pragma once
/// CAF type ids of the handles that travel in messages. A program registers both blocks:
///   cfg.add_message_types<caf::id_block::flowspec_messages>();
///   cfg.add_message_types<caf::id_block::flowspec_actors>();

#include <vector>

#include <caf/typed_actor.hpp>

#include "actors/interfaces.hpp"

CAF_BEGIN_TYPE_ID_BLOCK(flowspec_actors, caf::id_block::flowspec_messages::end)
CAF_ADD_TYPE_ID(flowspec_actors, (flowspec::ControlActor))
CAF_ADD_TYPE_ID(flowspec_actors, (flowspec::PipelineActor))
CAF_ADD_TYPE_ID(flowspec_actors, (flowspec::DraftActor))
CAF_ADD_TYPE_ID(flowspec_actors, (flowspec::SessionActor))
CAF_ADD_TYPE_ID(flowspec_actors, (flowspec::TreePrunerActor))
CAF_ADD_TYPE_ID(flowspec_actors, (std::vector<flowspec::ControlActor>))
CAF_ADD_TYPE_ID(flowspec_actors, (flowspec::NodeAgentActor))
CAF_ADD_TYPE_ID(flowspec_actors, (std::vector<flowspec::StageStatsMessage>))
CAF_ADD_TYPE_ID(flowspec_actors, (std::vector<caf::node_id>))
CAF_END_TYPE_ID_BLOCK(flowspec_actors)
