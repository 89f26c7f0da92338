#pragma once
/// The actor side of what stages and the verifier have in common.

#include <cassert>
#include <memory>
#include <optional>
#include <string>

#include <caf/all.hpp>
#include <spdlog/spdlog.h>

#include "actors/hop.hpp"
#include "actors/log_failures.hpp"
#include "actors/probe.hpp"
#include "actors/sessions_of.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

class HopActor {
 public:
  StageStatsMessage stats() const { return StageStatsMessage{sessions_.stats()}; }

  /// Handles a message. An exception, for lack of memory perhaps, ends the sessions that the
  /// message speaks of and no other.
  template <class T, class Handle>
  void guarded(const Wire<T>& message, Handle handle) {
    try {
      handle();
    } catch (const std::exception& e) {
      auto content = message.read();
      if (!content)
        return;
      for (SessionId id : sessions_of(*content)) {
        sessions_.cancel(id);
        report(Fault{id, 0, stage_, e.what()});
      }
    }
  }

  void cancel(const CancelMessage& message) {
    if (auto cancel = read(message))
      sessions_.cancel(cancel->session);
  }

  /// After every message.
  void handled() const {
    assert(!sessions_.broken_invariant());
    if (probe_ != nullptr)
      probe_->after_hop(sessions_);
  }

 protected:
  HopActor(PipelineActor::pointer self, std::uint32_t stage, TreePrunerActor pruner,
           PipelineProbe* probe)
      : self_(self), stage_(stage), pruner_(std::move(pruner)), sessions_(stage), probe_(probe) {
    log_failures(self);
  }

  /// Reads a message. What can't be read is logged and counted and has no other effect, since
  /// nobody knows which session it was of. Should a segment be lost with it, the progress limit of
  /// its session tells.
  template <class T>
  std::optional<T> read(const Wire<T>& message) {
    auto content = message.read();
    if (content)
      return std::move(*content);
    sessions_.count_malformed();
    spdlog::warn("stage {}: dropped a message: {}", stage_, caf::to_string(content.error()));
    return std::nullopt;
  }

  void report(const Fault& fault) {
    spdlog::warn("stage {}: session {}: {}", fault.stage, fault.session, fault.error);
    self_->send(pruner_, FaultMessage{fault});
  }

  void report(const std::vector<Fault>& faults) {
    for (const Fault& fault : faults)
      report(fault);
  }

  void apply(const std::vector<Prune>& prunes) {
    std::vector<Fault> faults;
    sessions_.apply(prunes, faults);
    report(faults);
  }

  /// Ends the sessions whose rows a segment has that can't be computed.
  void refuse(const Segment& segment, const std::string& error) {
    for (const Row& row : segment.rows) {
      auto* session = sessions_.find(row.session);
      if (session == nullptr || session->dead)
        continue;
      session->dead = true;
      report(Fault{row.session, segment.id, stage_, error});
    }
  }

  void about_to_compute() const {
    if (probe_ != nullptr)
      probe_->before_compute(stage_);
  }

  PipelineActor::pointer self_;
  std::uint32_t stage_;
  TreePrunerActor pruner_;
  HopSessions sessions_;
  PipelineProbe* probe_;
};

/// The handlers of a hop, each a member function of its state.
template <class State, class Self>
PipelineActor::behavior_type hop_behavior(Self* self) {
  State* state = self->state.hop.get();
  return {
      [state](const PrunesMessage& message) {
        state->guarded(message, [&] { state->prunes(message); });
        state->handled();
      },
      [state](const CancelMessage& message) {
        state->guarded(message, [&] { state->cancel(message); });
        state->handled();
      },
      [state](const OpenMessage& message) {
        state->guarded(message, [&] { state->open(message); });
        state->handled();
      },
      [state](const SegmentMessage& message) {
        state->guarded(message, [&] { state->segment(message); });
        state->handled();
      },
      [state](const CloseMessage& message) {
        state->guarded(message, [&] { state->close(message); });
        state->handled();
      },
      [state](load_a) { return state->load(); },
      [state](stats_a) -> caf::result<StageStatsMessage> { return state->stats(); },
  };
}

/// Holds a hop inside a CAF actor, which makes its state before the behaviour has arguments.
template <class State>
struct HopState {
  static constexpr const char* name = State::name;
  std::unique_ptr<State> hop;
};

}  // namespace flowspec
