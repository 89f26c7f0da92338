#include "actors/emulation/head_device.hpp"

#include <optional>
#include <variant>

#include <caf/all.hpp>

#include "actors/emulation/recorder.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

/// What a timer is for.
constexpr std::uint32_t look_for_work = 0;
constexpr std::uint32_t verified = 1;
constexpr std::uint32_t drafted = 2;

/// A draft forward, which verifications interrupt.
struct DraftForward {
  /// Device time used before `running_since`.
  EmulationSpan used{};
  std::optional<EmulationTime> running_since;
  /// Device time needed; known when the draft has computed the forward.
  std::optional<EmulationSpan> needed;
  std::uint32_t rows = 0;
};

class HeadDevice {
 public:
  static constexpr const char* name = "head_device";

  void init(caf::event_based_actor* self, HeadDeviceConfig config) {
    self_ = self;
    log_failures(self);
    config_ = config;
  }

  void bind(const std::string& who, caf::actor actor) {
    if (who == "verifier")
      verifier_ = caf::actor_cast<PipelineActor>(actor);
    else if (who == "pruner")
      pruner_ = caf::actor_cast<TreePrunerActor>(actor);
    else if (who == "stage")
      stage_ = std::move(actor);
    else
      draft_ = std::move(actor);
  }

  template <class Message>
  void arrived(const Message& message) {
    queue_.emplace_back(message);
    look_soon();
  }

  /// From the verifier.
  template <class Message>
  void result(const Message& message) {
    if (verifying_)
      results_.emplace_back(message);
    else
      pass(message);
  }

  /// The stage or the draft wants the device.
  void step() {
    if (from_stage()) {
      stage_waits_ = true;
      return look_soon();
    }
    step_waits_ = true;
    if (!is_taken() && !look_pending_)
      go_on_drafting();
  }

  /// The stage gives the device back, or the draft has computed a forward.
  void done(std::uint32_t rows) {
    if (from_stage()) {
      stage_computes_ = false;
      return look_soon();
    }
    if (!forward_)
      return;
    forward_->rows = rows;
    forward_->needed = forward_time(config_.draft, rows);
    set_draft_timer();
  }

  void timer(std::uint32_t what, std::uint64_t number) {
    if (what == look_for_work)
      look();
    else if (what == verified)
      finish_verification();
    else if (number == draft_timer_)
      finish_draft();
  }

 private:
  using InBand = std::variant<OpenMessage, GrowMessage, SegmentMessage, CloseMessage>;
  using Result = std::variant<VerdictMessage, FeaturesMessage, ClosedMessage, FaultMessage>;

  EmulationTime now() const { return self_->clock().now(); }

  bool from_stage() const {
    return stage_ && self_->current_sender() == caf::actor_cast<caf::strong_actor_ptr>(stage_);
  }

  /// By something that is not interrupted.
  bool is_taken() const { return verifying_ || stage_computes_; }

  /// Features have to be as urgent as the prune: they come before the verdict, and the prune after
  /// it.
  void pass(const FeaturesMessage& message) {
    self_->send<caf::message_priority::high>(draft_, message);
  }
  template <class Message>
  void pass(const Message& message) {
    self_->send(pruner_, message);
  }

  /// Prunes that follow a verdict have to reach draft and verifier first.
  void look_soon() {
    if (is_taken() || look_pending_)
      return;
    look_pending_ = true;
    self_->delayed_send(self_, EmulationSpan::zero(), tick_a_v, look_for_work, std::uint64_t{0});
  }

  void look() {
    look_pending_ = false;
    if (!queue_.empty())
      verify();
    else if (stage_waits_)
      lend_to_stage();
    else
      go_on_drafting();
  }

  void lend_to_stage() {
    stage_waits_ = false;
    stage_computes_ = true;
    pause_draft();
    self_->send(stage_, step_a_v);
  }

  void verify() {
    verifying_ = true;
    start_ = now();
    segments_.clear();
    std::uint32_t rows = 0;
    for (const InBand& entry : std::exchange(queue_, {})) {
      if (const auto* message = std::get_if<SegmentMessage>(&entry))
        if (auto segment = message->read()) {
          segments_.push_back(segment->id);
          rows += static_cast<std::uint32_t>(segment->rows.size());
        }
      std::visit([this](const auto& message) { self_->send(verifier_, message); }, entry);
    }
    if (!segments_.empty())
      pause_draft();
    // The answer arrives after everything that the verifier sends about the messages.
    self_->request(verifier_, caf::infinite, stats_a_v)
        .then([this, rows](const StageStatsMessage& message) {
          auto stats = message.read();
          auto total = stats ? stats->rows_computed : rows_verified_;
          auto live = static_cast<std::uint32_t>(total - std::exchange(rows_verified_, total));
          computed(live, rows - std::min(rows, live));
        });
  }

  void computed(std::uint32_t rows, std::uint32_t rows_dropped) {
    auto end = std::max(now(), start_ + forward_time(config_.head, rows));
    if (rows == 0)
      end = start_;
    if (config_.recorder != nullptr && !segments_.empty())
      config_.recorder->worked(
          {EmulatedWork::Kind::verify, "draft", {}, start_, end, segments_, rows, rows_dropped});
    auto wait = end - now();
    if (wait > EmulationSpan::zero())
      self_->delayed_send(self_, wait, tick_a_v, verified, std::uint64_t{0});
    else
      finish_verification();
  }

  void finish_verification() {
    verifying_ = false;
    for (const Result& entry : std::exchange(results_, {}))
      std::visit([this](const auto& message) { pass(message); }, entry);
    look_soon();
  }

  void go_on_drafting() {
    if (step_waits_) {
      step_waits_ = false;
      forward_ = DraftForward{};
      forward_->running_since = now();
      self_->send(draft_, step_a_v);
    } else if (forward_ && !forward_->running_since) {
      forward_->running_since = now();
      set_draft_timer();
    }
  }

  void set_draft_timer() {
    if (!forward_->running_since || !forward_->needed)
      return;
    auto wait = *forward_->running_since + *forward_->needed - forward_->used - now();
    self_->delayed_send(self_, std::max(wait, EmulationSpan::zero()), tick_a_v, drafted,
                        ++draft_timer_);
  }

  void pause_draft() {
    if (!forward_ || !forward_->running_since)
      return;
    ++draft_timer_;  // what has been set is void
    record_draft(0);
    forward_->used += now() - *std::exchange(forward_->running_since, std::nullopt);
  }

  void finish_draft() {
    record_draft(forward_->rows);
    self_->send(draft_, done_a_v, forward_->rows);
    forward_.reset();
  }

  /// Records nothing if the draft found nothing to draft and did not answer.
  void record_draft(std::uint32_t rows) const {
    auto start = *forward_->running_since;
    if (config_.recorder != nullptr && forward_->needed && (rows > 0 || now() > start))
      config_.recorder->worked({EmulatedWork::Kind::draft, "draft", {}, start, now(), {}, rows});
  }

  caf::event_based_actor* self_ = nullptr;
  HeadDeviceConfig config_;
  PipelineActor verifier_;
  TreePrunerActor pruner_;
  caf::actor draft_;
  /// Empty if no stage shares the device.
  caf::actor stage_;
  bool stage_waits_ = false;
  bool stage_computes_ = false;

  std::vector<InBand> queue_;
  bool look_pending_ = false;
  bool verifying_ = false;
  EmulationTime start_;
  std::vector<SegmentId> segments_;
  std::vector<Result> results_;
  std::uint64_t rows_verified_ = 0;

  /// The draft has a `step` that waits for the device.
  bool step_waits_ = false;
  std::optional<DraftForward> forward_;
  std::uint64_t draft_timer_ = 0;
};

caf::behavior head_device(caf::stateful_actor<HeadDevice>* self, HeadDeviceConfig config) {
  auto& state = self->state;
  state.init(self, config);
  return {
      [&state](bind_a, const std::string& who, caf::actor actor) {
        state.bind(who, std::move(actor));
      },
      [&state](const OpenMessage& message) { state.arrived(message); },
      [&state](const GrowMessage& message) { state.arrived(message); },
      [&state](const SegmentMessage& message) { state.arrived(message); },
      [&state](const CloseMessage& message) { state.arrived(message); },
      [&state](const VerdictMessage& message) { state.result(message); },
      [&state](const FeaturesMessage& message) { state.result(message); },
      [&state](const ClosedMessage& message) { state.result(message); },
      [&state](const FaultMessage& message) { state.result(message); },
      [&state](step_a) { state.step(); },
      [&state](done_a, std::uint32_t rows) { state.done(rows); },
      [&state](tick_a, std::uint32_t what, std::uint64_t number) { state.timer(what, number); },
  };
}

}  // namespace

caf::actor spawn_head_device(caf::actor_system& system, HeadDeviceConfig config) {
  return system.spawn(head_device, config);
}

}  // namespace flowspec
