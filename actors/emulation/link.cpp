#include "actors/emulation/link.hpp"

#include <deque>

#include <caf/all.hpp>

#include "actors/emulation/recorder.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

class Link {
 public:
  static constexpr const char* name = "emulated_link";

  void init(caf::event_based_actor* self, LinkConfig config) {
    self_ = self;
    log_failures(self);
    config_ = std::move(config);
    free_at_ = now();
  }

  void segment(const SegmentMessage& message) {
    auto segment = message.read();
    auto rows = segment ? segment->rows.size() : 0;
    auto arrival = arrive(rows * config_.link.row_bytes);
    if (config_.recorder != nullptr && segment) {
      if (config_.from == "draft")
        config_.recorder->sent(segment->id, segment->rows);
      config_.recorder->worked({EmulatedWork::Kind::transfer,
                                config_.from,
                                config_.to,
                                now(),
                                arrival,
                                {segment->id},
                                static_cast<std::uint32_t>(rows)});
    }
    pass_on(arrival, caf::make_message(message));
  }

  void restored(const RestoredMessage& message) {
    auto restored = message.read();
    bool has_rows = restored && !restored->hidden.values.empty();
    pass_on(arrive(has_rows ? restored->count * config_.link.row_bytes : message.bytes()),
            caf::make_message(message));
  }

  void features(const FeaturesMessage& message) {
    auto features = message.read();
    auto rows = features ? features->nodes.size() : 0;
    pass_on(arrive(rows * config_.link.row_bytes), caf::make_message(message));
  }

  void prunes(const PrunesMessage& message) {
    auto arrival = arrive(message.bytes());
    if (config_.recorder != nullptr)
      record(message, arrival);
    pass_on(arrival, caf::make_message(message));
  }

  void other(caf::message message, std::size_t bytes) {
    pass_on(arrive(bytes), std::move(message));
  }

  /// The oldest message has arrived.
  void arrived() {
    auto message = std::move(under_way_.front());
    under_way_.pop_front();
    deliver(std::move(message));
  }

 private:
  EmulationTime now() const { return self_->clock().now(); }

  EmulationTime arrive(std::size_t bytes) {
    free_at_ = std::max(free_at_, now()) + transfer_time(config_.link, bytes);
    return free_at_ + EmulationSpan{config_.link.latency_ns};
  }

  /// Messages arrive in the order in which they left, so every timer is for the oldest message.
  void pass_on(EmulationTime arrival, caf::message message) {
    auto wait = arrival - now();
    if (under_way_.empty() && wait <= EmulationSpan::zero())
      return deliver(std::move(message));
    under_way_.push_back(std::move(message));
    self_->delayed_send(self_, wait, tick_a_v);
  }

  void deliver(caf::message message) {
    bool urgent = message.match_elements<PrunesMessage>() ||
                  message.match_elements<CancelMessage>() ||
                  message.match_elements<FeaturesMessage>();
    if (urgent)
      self_->send<caf::message_priority::high>(config_.target, std::move(message));
    else
      self_->send(config_.target, std::move(message));
  }

  void record(const PrunesMessage& message, EmulationTime arrival) {
    auto content = message.read();
    if (!content || content->prunes.empty())
      return;
    if (config_.to != "draft")
      config_.recorder->worked(
          {EmulatedWork::Kind::prune, config_.from, config_.to, now(), arrival, {}});
    else
      for (const Prune& prune : content->prunes)
        config_.recorder->committed(prune, now());
  }

  caf::event_based_actor* self_ = nullptr;
  LinkConfig config_;
  EmulationTime free_at_;
  std::deque<caf::message> under_way_;
};

caf::behavior emulated_link(caf::stateful_actor<Link>* self, LinkConfig config) {
  auto& state = self->state;
  state.init(self, std::move(config));
  // Every message type that two devices exchange.
  auto pass = [&state](const auto& message) {
    state.other(caf::make_message(message), message.bytes());
  };
  return {
      [&state](tick_a) { state.arrived(); },
      [&state](const SegmentMessage& message) { state.segment(message); },
      [&state](const PrunesMessage& message) { state.prunes(message); },
      [&state](const FeaturesMessage& message) { state.features(message); },
      [&state](const RestoredMessage& message) { state.restored(message); },
      [pass](const CancelMessage& message) { pass(message); },
      [pass](const OpenMessage& message) { pass(message); },
      [pass](const GrowMessage& message) { pass(message); },
      [pass](const CloseMessage& message) { pass(message); },
      [pass](const SegmentEndMessage& message) { pass(message); },
      [pass](const ReadyMessage& message) { pass(message); },
      [pass](const FaultMessage& message) { pass(message); },
  };
}

}  // namespace

caf::actor spawn_emulated_link(caf::actor_system& system, LinkConfig config) {
  return system.spawn(emulated_link, std::move(config));
}

}  // namespace flowspec
