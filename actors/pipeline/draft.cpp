#include "actors/pipeline/draft.hpp"

#include <cassert>
#include <chrono>
#include <optional>
#include <set>
#include <tuple>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/pipeline/guarded.hpp"
#include "actors/pipeline/probe.hpp"
#include "actors/policy/controller.hpp"
#include "actors/policy/drafter.hpp"
#include "actors/policy/segments_in_flight.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/spawn.hpp"
#include "actors/support/text_error.hpp"
#include "actors/tree/applied_prunes.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

class Draft {
 public:
  static constexpr const char* name = "draft";

  void init(DraftActor::pointer self, DraftConfig config) {
    self_ = self;
    log_failures(self);
    config_ = std::move(config);
    policy_ = config_.policy;
    controller_.emplace(policy_);
    if (config_.memory.speeds)
      controller_->resume(*config_.memory.speeds);
    policy_ = controller_->policy();
  }

  caf::result<StageStatsMessage> load() {
    auto model = config_.load();
    if (!model)
      return model.error();
    try {
      drafter_ = std::make_unique<Drafter>(policy_, std::move(*model), config_.kv);
    } catch (const std::bad_alloc&) {
      return text_error(ErrorCode::does_not_fit, "no address space for the draft model's KV");
    }
    if (auto* calibration = drafter_->calibration();
        calibration != nullptr && config_.memory.scales)
      calibration->resume(*config_.memory.scales);
    return stats();
  }

  StageStatsMessage stats() const {
    auto stats = stats_;
    const auto& decisions = controller_->decisions();
    stats.guessed_tokens = decisions.guessed_tokens;
    stats.plain_tokens = decisions.plain_tokens;
    stats.switches = decisions.switches;
    stats.send_reach = policy_.min_send_probability;
    stats.hold = policy_.min_drafts_before_send;
    if (drafter_ != nullptr) {
      stats.guesses = drafter_->foresight().asked;
      stats.right_guesses = drafter_->foresight().right;
      std::tie(stats.tree_nodes, stats.tree_sent) = drafter_->nodes();
      if (drafter_->kv().slot_bytes() > 0) {
        stats.kv_slots = drafter_->kv().capacity();
        stats.kv_slots_used = drafter_->kv().slots()->used();
        stats.kv_bytes = drafter_->kv().bytes();
      }
      if (const auto* calibration = drafter_->calibration(); calibration && policy_.calibrated)
        stats.draft_scale = calibration->scale(temperature_);
    }
    return StageStatsMessage{stats};
  }

  void bind(PipelineActor first, const caf::actor& loop) {
    first_ = std::move(first);
    loop_ = caf::actor_cast<DraftActor>(loop);
  }

  KeptMessage part(SessionId last) {
    last_parted_ = last;
    Kept kept;
    if (drafter_ != nullptr)
      kept.sessions = drafter_->part();
    kept.segment = in_flight_.last();
    in_flight_.forget();
    applied_.forget();
    parted_.clear();
    for (const KeptSession& session : kept.sessions)
      parted_.insert(session.session);
    return KeptMessage{kept};
  }

  void bind_again(PipelineActor first, TreePrunerActor pruner, bool is_new, SegmentId last) {
    first_ = std::move(first);
    config_.pruner = std::move(pruner);
    in_flight_.go_on_behind(last);
    if (is_new)
      first_lacks_ = parted_;
    go_on();
  }

  void open(const OpenMessage& message) {
    auto open = read(message);
    if (!open || open->session <= last_parted_)
      return;
    try {
      if (drafter_ == nullptr)
        return fail(open->session, "the draft has not been loaded yet");
      drafter_->open(*open);
      controller_->open(open->session);
      follow();
      drafter_->guess_for(open->session, controller_->guesses(open->session));
      temperature_ = open->sampling.temperature;
    } catch (const std::exception& e) {
      return fail(open->session, fmt::format("no memory for the draft model's KV: {}", e.what()));
    }
    bool lacks = first_lacks_.contains(open->prefix_session) && open->cached_tokens > 0;
    open->restores = lacks;
    open->prunes = applied_.of(open->prefix_session);
    self_->send(first_, lacks || !open->prunes.empty() ? OpenMessage{*open} : message);
    for (Position begin = 0; lacks && begin < open->cached_tokens;) {
      auto count = std::min<Position>(config_.policy.segment_rows, open->cached_tokens - begin);
      self_->send(first_, RestoredMessage{{open->session, begin, count, {}}});
      begin += count;
    }
    go_on();
  }

  void close(const CloseMessage& message) {
    auto close = read(message);
    if (!close)
      return;
    if (!close->keep)
      first_lacks_.erase(close->session);
    if (drafter_ != nullptr) {
      drafter_->close(close->session, close->keep);
      controller_->close(close->session);
      follow();
      remember();
    }
    auto prunes = applied_.take(close->session);
    close->prunes = close->keep ? std::move(prunes) : std::vector<Prune>{};
    self_->send(first_, CloseMessage{*close});
  }

  void grow(const GrowMessage& message) {
    auto grow = read(message);
    if (!grow || drafter_ == nullptr || !drafter_->knows(grow->session))
      return;
    drafter_->grow(*grow);
    self_->send(first_, message);
    go_on();
  }

  void cancel(const CancelMessage& message) {
    auto cancel = read(message);
    if (cancel && drafter_ != nullptr)
      drafter_->cancel(cancel->session);
  }

  void prunes(const PrunesMessage& message) {
    auto prunes = read(message);
    if (!prunes || drafter_ == nullptr)
      return;
    for (const Prune& prune : prunes->prunes) {
      if (!drafter_->knows(prune.session))
        continue;
      if (auto error = drafter_->reroot(prune))
        fail(prune.session, *error);
      else
        applied(prune);
    }
    for (SegmentId segment : prunes->ended)
      returned(segment, !prunes->prunes.empty());
    go_on();
  }

  void features(const FeaturesMessage& message) {
    auto features = read(message);
    if (!features || drafter_ == nullptr)
      return;
    if (auto error = drafter_->learn(*features))
      fail(features->session, *error);
    go_on();
  }

  void ready(const ReadyMessage& message) {
    if (auto ready = read(message)) {
      if (auto sent = in_flight_.find(ready->segment))
        controller_->first_stage(sent->rows, now() - sent->at);
      in_flight_.first_stage_has_finished(ready->segment);
      go_on();
    }
  }

  void step() {
    auto start = forward_start_ = self_->clock().now();
    auto rows = begin();
    auto busy = std::chrono::nanoseconds{self_->clock().now() - start};
    stats_.busy_ns += static_cast<std::uint64_t>(busy.count());
    if (rows > 0) {
      self_->send(loop_, done_a_v, static_cast<std::uint32_t>(rows));
    } else {
      drafting_ = false;
      go_on();
    }
  }

  void done(std::uint32_t rows) {
    if (drafter_ == nullptr)
      return;
    drafting_ = false;
    try {
      drafter_->finish();
    } catch (const std::exception& e) {
      fail(drafter_->abandon(), e.what());
    }
    ++stats_.draft_forwards;
    controller_->drafted(rows, self_->clock().now() - forward_start_);
    go_on();
  }

  template <class T, class Handle>
  void guarded(const Wire<T>& message, const Handle& handle) {
    flowspec::guarded(
        message, handle,
        [this](const std::set<SessionId>& ended, const std::string& error) {
          if (drafter_ != nullptr)
            for (SessionId id : ended)
              drafter_->cancel(id);
          fail(ended, error);
        });
  }

  /// To be called after every message.
  void handled() const {
    assert(in_flight_.size() <= std::max(config_.policy.window, config_.policy.widest_window));
    assert(drafter_ == nullptr || !drafter_->broken_invariant());
    if (config_.probe != nullptr && drafter_ != nullptr)
      config_.probe->after_draft(*drafter_, in_flight_.size());
  }

 private:
  template <class T>
  std::optional<T> read(const Wire<T>& message) {
    auto content = read_or_warn(message, name);
    stats_.malformed += content ? 0 : 1;
    return content;
  }

  /// Begins a forward; returns its number of rows.
  std::size_t begin() {
    if (drafter_ == nullptr || !drafter_->can_draft())
      return 0;
    try {
      return drafter_->begin();
    } catch (const std::exception& e) {
      fail(drafter_->abandon(), e.what());
      return 0;
    }
  }

  void fail(const std::set<SessionId>& sessions, const std::string& error) {
    for (SessionId id : sessions)
      fail(id, fmt::format("the draft could not compute: {}", error));
  }

  void fail(SessionId session, const std::string& error) {
    spdlog::warn("draft: session {}: {}", session, error);
    self_->send(config_.pruner, FaultMessage{{session, 0, not_a_stage, error}});
  }

  /// Keeps what was learnt for the runs to come.
  void remember() {
    const auto* calibration = drafter_->calibration();
    if (calibration == nullptr || !config_.memory.keep || calibration->choices() == kept_choices_)
      return;
    config_.memory.keep(calibration->scales(), controller_->learnt());
    kept_choices_ = calibration->choices();
  }

  Controller::Seconds now() const { return self_->clock().now().time_since_epoch(); }

  void applied(const Prune& prune) {
    applied_.add(prune);
    if (!drafter_->answers(prune.session))
      return;
    controller_->accepted(prune.session, static_cast<std::uint32_t>(prune.path.size()), now());
    follow();
    if (config_.policy.adaptive)
      drafter_->guess_for(prune.session, controller_->guesses(prune.session));
  }

  /// What the controller decides for all sessions.
  void follow() {
    if (!config_.policy.adaptive)
      return;
    policy_ = controller_->policy();
    drafter_->follow(policy_);
  }

  void returned(SegmentId segment, bool moved_root) {
    auto sent = in_flight_.end(segment);
    if (sent && moved_root)
      controller_->verified(sent->rows, now() - sent->at);
  }

  /// Sends what may be sent now, and keeps drafting going.
  void go_on() {
    if (drafter_ == nullptr)
      return;
    try {
      send_segments();
    } catch (const std::exception& e) {
      // Rows that are marked as sent will never be sent.
      fail(drafter_->cancel_all(), e.what());
    }
    if (!drafting_ && drafter_->can_draft()) {
      drafting_ = true;
      self_->send(loop_, step_a_v);
    }
  }

  void send_segments() {
    while (in_flight_.has_room(config_.policy, policy_.window) &&
           (!policy_.late || in_flight_.first_stage_has_finished())) {
      auto outgoing = drafter_->take_segment();
      if (outgoing.rows.empty())
        break;
      send_segment(std::move(outgoing));
    }
  }

  void send_segment(Drafter::Outgoing outgoing) {
    Segment segment;
    segment.id = in_flight_.add(static_cast<std::uint32_t>(outgoing.rows.size()), now());
    segment.prunes = applied_.take();
    segment.rows = std::move(outgoing.rows);
    segment.awaits_more = outgoing.awaits_more;
    ++stats_.segments;
    stats_.rows_computed += segment.rows.size();
    self_->send(config_.pruner, SentRowsMessage{{segment.id, segment.rows}});
    self_->send(first_, SegmentMessage{segment});
  }

  DraftActor::pointer self_ = nullptr;
  DraftConfig config_;
  std::optional<Controller> controller_;
  /// The mode's policy, as the controller has adjusted it.
  DraftPolicy policy_;
  caf::actor_clock::time_point forward_start_;
  PipelineActor first_;
  /// The handle by which the draft sends to itself.
  DraftActor loop_;
  std::unique_ptr<Drafter> drafter_;
  StageStats stats_;
  /// Of the latest session.
  float temperature_ = 0;
  /// Choices behind the scales that were kept last.
  std::uint64_t kept_choices_ = 0;
  SegmentsInFlight in_flight_;
  /// Prunes since the last segment; they take the slow path with the next one.
  AppliedPrunes applied_;
  /// Sessions that were put aside, and of them those of which the first stage has nothing.
  std::set<SessionId> parted_;
  SessionId last_parted_ = no_session;
  std::set<SessionId> first_lacks_;
  /// A draft forward is wanted or under way.
  bool drafting_ = false;
};

DraftActor::behavior_type draft(DraftActor::stateful_pointer<Draft> self, DraftConfig config) {
  self->state.init(self, std::move(config));
  auto& state = self->state;
  return {
      [&state](bind_a, PipelineActor first, const caf::actor& loop) {
        state.bind(std::move(first), loop);
      },
      [&state](const OpenMessage& message) {
        state.guarded(message, [&] { state.open(message); });
        state.handled();
      },
      [&state](const GrowMessage& message) {
        state.guarded(message, [&] { state.grow(message); });
        state.handled();
      },
      [&state](const CloseMessage& message) {
        state.guarded(message, [&] { state.close(message); });
        state.handled();
      },
      [&state](const CancelMessage& message) {
        state.guarded(message, [&] { state.cancel(message); });
        state.handled();
      },
      [&state](const PrunesMessage& message) {
        state.guarded(message, [&] { state.prunes(message); });
        state.handled();
      },
      [&state](const FeaturesMessage& message) {
        state.guarded(message, [&] { state.features(message); });
        state.handled();
      },
      [&state](const ReadyMessage& message) {
        state.ready(message);
        state.handled();
      },
      [&state](step_a) {
        state.step();
        state.handled();
      },
      [&state](done_a, std::uint32_t rows) {
        state.done(rows);
        state.handled();
      },
      [&state](bind_a, PipelineActor first, const caf::actor& pruner, std::uint32_t is_new,
               SegmentId last) {
        state.bind_again(std::move(first), caf::actor_cast<TreePrunerActor>(pruner), is_new != 0,
                         last);
        state.handled();
      },
      [&state](part_a, SessionId last) -> caf::result<KeptMessage> {
        auto kept = state.part(last);
        state.handled();
        return kept;
      },
      [&state](load_a) { return state.load(); },
      [&state](stats_a) -> caf::result<StageStatsMessage> { return state.stats(); },
  };
}

}  // namespace

DraftActor spawn_draft(caf::actor_system& system, DraftConfig config, SpawnMode mode) {
  return spawn_with(system, mode, draft, std::move(config));
}

}  // namespace flowspec
