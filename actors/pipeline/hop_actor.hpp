#pragma once
/// The actor side of what stages and the verifier have in common.

#include <cassert>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/pipeline/guarded.hpp"
#include "actors/pipeline/hop.hpp"
#include "actors/pipeline/probe.hpp"
#include "actors/pipeline/stage_peers.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

class HopActor {
 public:
  StageStatsMessage stats() const { return StageStatsMessage{sessions_.stats(now_us())}; }

  template <class T, class Handle>
  void guarded(const Wire<T>& message, const Handle& handle) {
    flowspec::guarded(
        message, handle,
        [this](const std::set<SessionId>& ended, const std::string& error) {
          for (SessionId id : ended) {
            sessions_.cancel(id);
            report(Fault{id, 0, stage_, error});
          }
        });
  }

  void cancel(const CancelMessage& message) {
    if (auto cancel = read(message))
      sessions_.cancel(cancel->session);
  }

  KeptMessage part(SessionId last) { return KeptMessage{sessions_.part(last)}; }

  /// To be called after every message.
  void handled() const {
    assert(!sessions_.broken_invariant());
    if (probe_ != nullptr)
      probe_->after_hop(sessions_);
  }

 protected:
  std::uint64_t now_us() const {
    auto now = self_->clock().now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now).count());
  }

  /// The verifier is the hop behind the last stage; messages call it by its name.
  enum class Role { stage, verifier };

  HopActor(PipelineActor::pointer self, std::uint32_t stage, TreePrunerActor pruner,
           PipelineProbe* probe, Role role = Role::stage)
      : self_(self),
        stage_(stage),
        pruner_(std::move(pruner)),
        sessions_(stage),
        probe_(probe),
        role_(role) {
    log_failures(self);
  }

  /// Reads a message. One that cannot be read is logged and counted and has no other effect, since
  /// its session is unknown. If a segment is lost this way, the progress limit of its session ends
  /// the session.
  template <class T>
  std::optional<T> read(const Wire<T>& message) {
    auto content = read_or_warn(message, name());
    if (!content)
      sessions_.count_malformed();
    return content;
  }

  void report(Fault fault) {
    spdlog::warn("{}: session {}: {}", name(), fault.session, fault.error);
    if (role_ == Role::verifier) {
      fault.stage = not_a_stage;
      fault.error = fmt::format("{}: {}", name(), fault.error);
    }
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

  /// Ends the sessions of a segment that cannot be computed.
  void refuse(const Segment& segment, const std::string& error) {
    for (const Row& row : segment.rows) {
      auto* session = sessions_.find(row.session);
      if (session == nullptr || session->dead)
        continue;
      session->dead = true;
      report(Fault{row.session, segment.id, stage_, error});
    }
  }

  std::string name() const {
    return role_ == Role::verifier ? "the verifier" : fmt::format("stage {}", stage_);
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
  Role role_;
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
      [state](const GrowMessage& message) {
        state->guarded(message, [&] { state->grow(message); });
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
      [state](const RestoredMessage& message) {
        state->guarded(message, [&] { state->restored(message); });
        state->handled();
      },
      [state](part_a, SessionId last) -> caf::result<KeptMessage> {
        auto kept = state->part(last);
        state->handled();
        return kept;
      },
      [state](bind_a, const caf::actor& next, const caf::actor& pruner, const caf::actor& draft,
              std::uint32_t is_new) -> caf::result<done_a> {
        state->bind({caf::actor_cast<PipelineActor>(next), caf::actor_cast<TreePrunerActor>(pruner),
                     caf::actor_cast<DraftActor>(draft)},
                    is_new != 0);
        return done_a_v;
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
