#include "actors/emulation/stage_device.hpp"

#include <deque>
#include <functional>
#include <optional>
#include <variant>
#include <vector>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/emulation/later.hpp"
#include "actors/emulation/link.hpp"
#include "actors/emulation/recorder.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

struct DeviceConfig {
  std::string name;
  EmulatedStage emulation;
  LinkConfig link;
  TreePrunerActor pruner;
  DraftActor draft;
  EmulationRecorder* recorder;
  caf::actor shared;
  EmulationSpan way;
};

/// What a timer is for.
constexpr std::uint32_t say_ready = 0;
constexpr std::uint32_t hand_out = 1;

class StageDevice {
 public:
  static constexpr const char* name = "stage_device";

  void init(caf::event_based_actor* self, DeviceConfig config) {
    self_ = self;
    log_failures(self);
    config_ = std::move(config);
    open_link();
  }

  void bind(PipelineActor stage) {
    stage_ = std::move(stage);
    self_->link_to(stage_);
  }

  template <class Message>
  void in_band(const Message& message) {
    if (!from_stage()) {
      queue_.emplace_back(message);
      start_next();
    } else if constexpr (std::is_same_v<Message, SegmentMessage>) {
      result_ = message;
    } else if constexpr (std::is_same_v<Message, RestoredMessage>) {
      // Behind an Open it is what had been sent before: nothing is computed.
      if (is_restoring_)
        restored_ = message;
      else
        self_->send(link_, message);
    } else {
      self_->send(link_, message);
    }
  }

  template <class Message>
  void urgent(const Message& message) {
    self_->send<caf::message_priority::high>(stage_, message);
  }

  void ready(const ReadyMessage&) { ready_ = true; }

  /// The device has them when it has the result.
  void features(const FeaturesMessage& message) { features_.push_back(message); }

  void timer(std::uint32_t what) {
    if (what == say_ready)
      return send_ready(end_ - now());
    for (const FeaturesMessage& message : std::exchange(features_, {}))
      self_->send<caf::message_priority::high>(config_.draft, message);
    if (auto message = std::exchange(result_, std::nullopt))
      self_->send(link_, *message);
    if (auto message = std::exchange(restored_, std::nullopt))
      self_->send(link_, *message);
    end_job();
  }

  /// The device is free for the oldest message.
  void take_next() {
    auto next = std::move(queue_.front());
    queue_.pop_front();
    start_ = now();
    segment_ = 0;
    rows_in_ = 0;
    if (const auto* message = std::get_if<SegmentMessage>(&next))
      if (auto segment = message->read()) {
        segment_ = segment->id;
        rows_in_ = static_cast<std::uint32_t>(segment->rows.size());
      }
    is_restoring_ = std::holds_alternative<RestoredMessage>(next);
    std::visit([this](const auto& message) { self_->send(stage_, message); }, next);
    // The answer arrives after everything that the stage sends about the message.
    self_->request(stage_, caf::infinite, stats_a_v).then([this](const StageStatsMessage& message) {
      auto stats = message.read();
      auto total = stats ? stats->rows_computed : rows_computed_;
      computed(static_cast<std::uint32_t>(total - std::exchange(rows_computed_, total)));
    });
  }

  caf::result<KeptMessage> part(SessionId last) {
    return pass_request<KeptMessage>(true, part_a_v, last);
  }

  caf::result<done_a> bind_again(const caf::actor& next, const caf::actor& pruner,
                                 const caf::actor& draft, std::uint32_t is_new) {
    config_.pruner = caf::actor_cast<TreePrunerActor>(pruner);
    config_.draft = caf::actor_cast<DraftActor>(draft);
    if (next != config_.link.target) {
      self_->unlink_from(link_);
      config_.link.target = next;
      open_link();
    }
    auto self = caf::actor_cast<caf::actor>(self_);
    return pass_request<done_a>(false, bind_a_v, self, self, self, is_new);
  }

  caf::result<StageStatsMessage> load() { return pass_request<StageStatsMessage>(false, load_a_v); }

  /// The stage's statistics, with the emulated busy time.
  caf::result<StageStatsMessage> stats() {
    auto promise = self_->make_response_promise<caf::typed_response_promise<StageStatsMessage>>();
    self_->request(stage_, caf::infinite, stats_a_v)
        .then([this, promise](const StageStatsMessage& message) mutable {
          auto stats = message.read();
          if (stats)
            stats->busy_ns = static_cast<std::uint64_t>(busy_for_.count());
          promise.deliver(stats ? StageStatsMessage{*stats} : message);
        });
    return promise;
  }

  const TreePrunerActor& pruner() const { return config_.pruner; }
  void act(std::uint64_t number) { later_.act(number); }

 private:
  using InBand =
      std::variant<OpenMessage, GrowMessage, SegmentMessage, CloseMessage, RestoredMessage>;

  EmulationTime now() const { return self_->clock().now(); }

  /// The device's end ends the link.
  void open_link() {
    link_ = spawn_emulated_link(self_->system(), config_.link);
    self_->link_to(link_);
  }

  /// Asks the stage, and passes its answer on.
  /// @param after_job  the stage looks at it when it has computed what it is computing.
  template <class Answer, class... Parts>
  caf::result<Answer> pass_request(bool after_job, const Parts&... parts) {
    auto promise = self_->make_response_promise<caf::typed_response_promise<Answer>>();
    auto answer = [promise](const auto& content) {
      auto copy = promise;
      copy.deliver(content);
    };
    auto ask = [=, this] {
      self_->request<caf::message_priority::high>(stage_, caf::infinite, parts...)
          .then([=, this](const Answer& content) { later([=] { answer(content); }); },
                [=, this](const caf::error& error) { later([=] { answer(error); }); });
    };
    later([=, this] {
      if (after_job && busy_)
        after_job_.emplace_back(ask);
      else
        ask();
    });
    return promise;
  }

  /// When it has travelled.
  void later(std::function<void()> act) { later_.after(self_, config_.way, std::move(act)); }

  bool from_stage() const {
    return self_->current_sender() == caf::actor_cast<caf::strong_actor_ptr>(stage_);
  }

  void start_next() {
    if (busy_ || queue_.empty())
      return;
    busy_ = true;
    holds_shared_ = config_.shared && (std::holds_alternative<SegmentMessage>(queue_.front()) ||
                                       std::holds_alternative<RestoredMessage>(queue_.front()));
    if (holds_shared_)
      self_->send(config_.shared, step_a_v);  // answers when it is free
    else
      take_next();
  }

  void end_job() {
    busy_ = false;
    if (std::exchange(holds_shared_, false))
      self_->send(config_.shared, done_a_v, std::uint32_t{0});
    for (const auto& ask : std::exchange(after_job_, {}))
      ask();
    start_next();
  }

  void computed(std::uint32_t rows) {
    end_ = std::max(now(), start_ + forward_time(config_.emulation.forward, rows));
    if (config_.recorder != nullptr && (segment_ != 0 || rows > 0))
      config_.recorder->worked({EmulatedWork::Kind::segment,
                                config_.name,
                                {},
                                start_,
                                rows > 0 ? end_ : start_,
                                is_restoring_ ? std::vector<SegmentId>{} : std::vector{segment_},
                                rows,
                                rows_in_ - std::min(rows, rows_in_)});
    // Nobody waits for what the last stage restores: it keeps it.
    bool has_computed = result_ || (is_restoring_ && rows > 0);
    if (has_computed)
      busy_for_ += end_ - start_;
    if (!has_computed) {
      if (ready_)
        send_ready({});
      return end_job();
    }
    if (ready_) {
      auto wait = end_ - EmulationSpan{config_.emulation.ready_lead_ns} - now();
      if (wait > EmulationSpan::zero())
        self_->delayed_send(self_, wait, tick_a_v, say_ready);
      else
        send_ready(end_ - now());
    }
    self_->delayed_send(self_, end_ - now(), tick_a_v, hand_out);
  }

  void send_ready(EmulationSpan free_in) {
    ready_ = false;
    auto us = std::max<EmulationSpan::rep>(
        std::chrono::ceil<std::chrono::microseconds>(free_in).count(), 0);
    self_->send(config_.draft, ReadyMessage{{segment_, static_cast<std::uint64_t>(us)}});
  }

  caf::event_based_actor* self_ = nullptr;
  DeviceConfig config_;
  PipelineActor stage_;
  caf::actor link_;
  Later later_;
  std::deque<InBand> queue_;
  // The job that the device is busy with.
  bool busy_ = false;
  /// Of a shared device: the job waits for it, or has it.
  bool holds_shared_ = false;
  EmulationTime start_;
  EmulationTime end_;
  SegmentId segment_ = 0;
  std::uint32_t rows_in_ = 0;
  /// The job restores cached positions.
  bool is_restoring_ = false;
  std::optional<SegmentMessage> result_;
  std::optional<RestoredMessage> restored_;
  /// Requests that wait for the end of the job.
  std::vector<std::function<void()>> after_job_;
  /// By the stage, so far.
  std::uint64_t rows_computed_ = 0;
  std::vector<FeaturesMessage> features_;
  bool ready_ = false;
  EmulationSpan busy_for_{};
};

caf::behavior stage_device(caf::stateful_actor<StageDevice>* self, DeviceConfig config) {
  auto& state = self->state;
  state.init(self, std::move(config));
  return {
      [&state](bind_a, PipelineActor stage) { state.bind(std::move(stage)); },
      [&state](const OpenMessage& message) { state.in_band(message); },
      [&state](const GrowMessage& message) { state.in_band(message); },
      [&state](const SegmentMessage& message) { state.in_band(message); },
      [&state](const CloseMessage& message) { state.in_band(message); },
      [&state](const RestoredMessage& message) { state.in_band(message); },
      [&state](const PrunesMessage& message) { state.urgent(message); },
      [&state](const CancelMessage& message) { state.urgent(message); },
      [&state](const ReadyMessage& message) { state.ready(message); },
      [&state](const FeaturesMessage& message) { state.features(message); },
      [&state, self](const SegmentEndMessage& message) { self->send(state.pruner(), message); },
      [&state, self](const FaultMessage& message) { self->send(state.pruner(), message); },
      [&state](step_a) { state.take_next(); },
      [&state](tick_a, std::uint32_t what) { state.timer(what); },
      [&state](tick_a, std::uint64_t number) { state.act(number); },
      [&state](part_a, SessionId last) { return state.part(last); },
      [&state](bind_a, const caf::actor& next, const caf::actor& pruner, const caf::actor& draft,
               std::uint32_t is_new) { return state.bind_again(next, pruner, draft, is_new); },
      [&state](load_a) { return state.load(); },
      [&state](stats_a) { return state.stats(); },
  };
}

}  // namespace

PipelineActor spawn_emulated_stage(caf::actor_system& system, StageConfig config, SpawnMode mode,
                                   const EmulatedStage& emulation, const std::string& next_device,
                                   EmulationRecorder* recorder, const caf::actor& shared,
                                   EmulationSpan way) {
  auto name = fmt::format("stage {}", config.stage);
  const LinkConfig link{emulation.link, name, next_device,
                        caf::actor_cast<caf::actor>(config.peers.next), recorder};
  auto device = system.spawn(stage_device, DeviceConfig{name, emulation, link, config.peers.pruner,
                                                        config.peers.draft, recorder, shared, way});
  if (shared)
    caf::anon_send(shared, bind_a_v, std::string("stage"), device);
  config.peers = {caf::actor_cast<PipelineActor>(device), caf::actor_cast<TreePrunerActor>(device),
                  caf::actor_cast<DraftActor>(device)};
  caf::anon_send(device, bind_a_v, spawn_stage(system, std::move(config), mode));
  return caf::actor_cast<PipelineActor>(device);
}

}  // namespace flowspec
