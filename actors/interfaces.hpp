#pragma once
/// Every typed interface of the pipeline. These are names only: a file that spawns an actor or
/// sends to one includes caf/all.hpp as well. An interface lists the messages that the actor takes,
/// one comment each.

#include <caf/fwd.hpp>
#include <caf/replies_to.hpp>

#include "messages/type_ids.hpp"
#include "messages/types.hpp"

namespace flowspec {

using caf::reacts_to;
using caf::replies_to;

/// Messages that overtake segments, in mailboxes and between machines.
using ControlActor = caf::typed_actor<
    // The root of some sessions has moved.
    reacts_to<PrunesMessage>,
    // Rows of a session need not be computed any more.
    reacts_to<CancelMessage>,
    // Put all sessions aside, since the pipeline is to be made again; answers with what there is of
    // them. What still comes of sessions up to this number is dropped.
    replies_to<part_a, SessionId>::with<KeptMessage>,
    // Statistics so far.
    replies_to<stats_a>::with<StageStatsMessage>>;

/// A hop of the pipeline: a stage, or the verifier at its end.
using PipelineActor = caf::typed_actor<
    reacts_to<PrunesMessage>, reacts_to<CancelMessage>,
    // In-band: make room for a session, and for more of it.
    reacts_to<OpenMessage>, reacts_to<GrowMessage>,
    // In-band: rows to compute and to pass on.
    reacts_to<SegmentMessage>,
    // In-band: free what the session holds.
    reacts_to<CloseMessage>,
    // In-band, to a hop that is new: the input of cached tokens.
    reacts_to<RestoredMessage>,
    // See ControlActor.
    replies_to<part_a, SessionId>::with<KeptMessage>,
    // Send to this PipelineActor (none: you are the last), TreePrunerActor, and DraftActor from now on.
    // Not 0: the first one is new, and has nothing of the sessions that were put aside.
    replies_to<bind_a, caf::actor, caf::actor, caf::actor, std::uint32_t>::with<done_a>,
    // Load the weights; answers when they are there, or with the error.
    replies_to<load_a>::with<StageStatsMessage>,
    // Statistics so far.
    replies_to<stats_a>::with<StageStatsMessage>>;

using DraftActor = caf::typed_actor<
    // Where to send segments, and the handle by which the draft sends to itself. Once, before the
    // first session.
    reacts_to<bind_a, PipelineActor, caf::actor>,
    // A new session, from the pruner, and more room for it.
    reacts_to<OpenMessage>, reacts_to<GrowMessage>,
    // The session ends: send Close down the pipeline behind its last rows. Cancel only stops
    // drafting for the session.
    reacts_to<CloseMessage>, reacts_to<CancelMessage>,
    // The root has moved, and segments have ended.
    reacts_to<PrunesMessage>,
    // Hidden states of the target, for heads that want them.
    reacts_to<FeaturesMessage>,
    // The first stage is free, or will be.
    reacts_to<ReadyMessage>,
    // To itself: choose nodes and compute a draft forward.
    reacts_to<step_a>,
    // To itself: a forward of this many rows has ended; put its result into the trees.
    reacts_to<done_a, std::uint32_t>,
    // See ControlActor; answers also with the number of the last segment.
    replies_to<part_a, SessionId>::with<KeptMessage>,
    // The pipeline was made again: where to send segments, and the TreePrunerActor. Not 0: the first stage
    // is new. Segments get numbers above the last one.
    reacts_to<bind_a, PipelineActor, caf::actor, std::uint32_t, SegmentId>,
    // Load the draft model; answers when it is there, or with the error.
    replies_to<load_a>::with<StageStatsMessage>, replies_to<stats_a>::with<StageStatsMessage>>;

using SessionActor = caf::typed_actor<
    // Accepted tokens; an empty list: the prompt has advanced.
    reacts_to<TokensMessage>,
    // The session cannot go on.
    reacts_to<FaultMessage>,
    // Nothing of the session is left in the pipeline.
    reacts_to<ClosedMessage>,
    // The client wants no more tokens.
    reacts_to<CancelMessage>,
    // A part of the pipeline was lost, and is made again.
    reacts_to<pause_a>,
    // There is more room for it.
    reacts_to<GrowMessage>,
    // Others need its room: leave the pipeline. Tells its owner when nothing of it is left there.
    reacts_to<park_a>,
    // Go on under this number, up to this position, by this TreePrunerActor. The hops have a text of the
    // second number, and share so many tokens of it.
    reacts_to<resume_a, SessionId, Position, SessionId, Position, caf::actor>,
    // To itself: check whether there was progress.
    reacts_to<tick_a>>;

using TreePrunerActor = caf::typed_actor<
    // The receivers of prunes. Before the first session, and when the pipeline was made again.
    reacts_to<bind_a, DraftActor, std::vector<ControlActor>>,
    // The pipeline is to be made again, and the draft has sent segments up to this one: forget all of
    // them, and all sessions up to the second number.
    reacts_to<part_a, SegmentId, SessionId>,
    // A new session and the actor that wants its tokens.
    reacts_to<submit_a, OpenMessage, SessionActor>,
    // From the session: there is more room for it.
    reacts_to<GrowMessage>,
    // From the session: it wants no more tokens.
    reacts_to<CloseMessage>, reacts_to<CancelMessage>,
    // From the coordinator: what a session has left is of no use any more.
    reacts_to<evict_a, SessionId>,
    // From the draft: rows that have been sent.
    reacts_to<SentRowsMessage>,
    // From the verifier: how far the target follows the tree.
    reacts_to<VerdictMessage>,
    // From a stage: all rows of a segment have died.
    reacts_to<SegmentEndMessage>,
    // From anybody: a session cannot go on.
    reacts_to<FaultMessage>,
    // From the verifier: the session's Close has passed all stages.
    reacts_to<ClosedMessage>,
    // The oldest segment in flight, as text for people.
    replies_to<progress_a>::with<std::string>>;

/// What runs on every node of a cluster: see node_agent.hpp.
using NodeAgentActor = caf::typed_actor<
    // Who are you?
    replies_to<hello_a>::with<NodeInfoMessage>,
    // To itself: your part of this number has lost one that it sends to, for this reason.
    reacts_to<lost_a, std::uint32_t, std::string>,
    // How fast do you compute layers of the model with this file name, with so many threads (0: as
    // many as you have)? A first answer takes about two seconds of measuring.
    replies_to<speed_a, std::string, std::uint16_t>::with<NodeInfoMessage>,
    // Connect your node with the one at this host and port, and measure the link; answers with that
    // one connection.
    replies_to<link_a, std::string, std::uint16_t>::with<NodeInfoMessage>,
    // Answer at once: the time tells how fast the link is. The text is padding.
    reacts_to<probe_a, std::string, std::uint16_t>,
    // What do all stages of your node do?
    replies_to<status_a>::with<std::vector<StageStatsMessage>>,
    // Connect your node directly with the one at this host and port, so that segments between them
    // do not pass through the coordinator; answers with that node's id.
    replies_to<connect_a, std::string, std::uint16_t>::with<caf::node_id>,
    // Your part of a pipeline, the first actor here, sends to the others from now on, and is sent to by
    // actors of these processes: your node lets nobody else's messages in.
    replies_to<bind_a, caf::actor, std::vector<caf::actor>,
               std::vector<caf::node_id>>::with<done_a>,
    // Make a stage that sends to these actors; answers with the stage and its control handle. It has to be
    // bound (see above), and sent `load_a`.
    replies_to<spawn_st_a, StageSpecMessage, PipelineActor, TreePrunerActor,
               DraftActor>::with<PipelineActor, ControlActor>,
    // Make a verifier, draft, or tree pruner that sends to these actors; one that it does not know yet may
    // be missing. Answers with a PipelineActor, DraftActor, or TreePrunerActor.
    replies_to<spawn_pt_a, PartSpecMessage, TreePrunerActor, DraftActor>::with<caf::actor>,
    // What do you have under this name? Without weights.
    replies_to<model_a, std::string>::with<ModelCardMessage>,
    // Bytes of the model with this hash: of this file's beginning, from there on. Nothing beyond
    // `ModelCard::File::head_bytes`.
    replies_to<piece_a, std::string, std::string, std::uint64_t>::with<FilePieceMessage>>;

}  // namespace flowspec
