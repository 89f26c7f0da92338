#pragma once
/// Registers all messages with CAF. The configuration of every actor system needs
/// `add_message_types<caf::id_block::flowspec_messages>()`; the block of actor handles begins at
/// `caf::id_block::flowspec_messages::end`. The order here is part of the protocol.

#include <caf/type_id.hpp>

#include "messages/wire.hpp"

CAF_BEGIN_TYPE_ID_BLOCK(flowspec_messages, caf::first_custom_type_id)

CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::SegmentMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::PrunesMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::OpenMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::CloseMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::CancelMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::SegmentEndMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::VerdictMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::SentRowsMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::FeaturesMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::ReadyMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::TokensMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::ClosedMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::FaultMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::StageSpecMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::NodeInfoMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::StageStatsMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::TextDeltaMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::ReportMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::RestoredMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::KeptMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::PartSpecMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::ModelCardMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::FilePieceMessage))
CAF_ADD_TYPE_ID(flowspec_messages, (flowspec::GrowMessage))

// Atoms that tell apart messages with no content, or with the same content: at most 10 characters.
CAF_ADD_ATOM(flowspec_messages, flowspec, hello_a, "hello")
CAF_ADD_ATOM(flowspec_messages, flowspec, status_a, "status")
CAF_ADD_ATOM(flowspec_messages, flowspec, stats_a, "stats")
CAF_ADD_ATOM(flowspec_messages, flowspec, spawn_st_a, "spawnstage")
CAF_ADD_ATOM(flowspec_messages, flowspec, spawn_pt_a, "spawnpart")
CAF_ADD_ATOM(flowspec_messages, flowspec, model_a, "model")
CAF_ADD_ATOM(flowspec_messages, flowspec, piece_a, "piece")
CAF_ADD_ATOM(flowspec_messages, flowspec, connect_a, "connect")
CAF_ADD_ATOM(flowspec_messages, flowspec, load_a, "load")
CAF_ADD_ATOM(flowspec_messages, flowspec, bind_a, "bind")
CAF_ADD_ATOM(flowspec_messages, flowspec, step_a, "step")
CAF_ADD_ATOM(flowspec_messages, flowspec, done_a, "done")
CAF_ADD_ATOM(flowspec_messages, flowspec, tick_a, "tick")
CAF_ADD_ATOM(flowspec_messages, flowspec, lost_a, "lost")
CAF_ADD_ATOM(flowspec_messages, flowspec, submit_a, "submit")
CAF_ADD_ATOM(flowspec_messages, flowspec, progress_a, "progress")
CAF_ADD_ATOM(flowspec_messages, flowspec, part_a, "part")
CAF_ADD_ATOM(flowspec_messages, flowspec, pause_a, "pause")
CAF_ADD_ATOM(flowspec_messages, flowspec, resume_a, "resume")
CAF_ADD_ATOM(flowspec_messages, flowspec, park_a, "park")
CAF_ADD_ATOM(flowspec_messages, flowspec, evict_a, "evict")
CAF_ADD_ATOM(flowspec_messages, flowspec, speed_a, "speed")
CAF_ADD_ATOM(flowspec_messages, flowspec, link_a, "link")
CAF_ADD_ATOM(flowspec_messages, flowspec, probe_a, "probe")

CAF_END_TYPE_ID_BLOCK(flowspec_messages)
