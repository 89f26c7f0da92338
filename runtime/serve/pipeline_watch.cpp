#include "runtime/serve/pipeline_watch.hpp"

#include <chrono>
#include <deque>
#include <optional>
#include <utility>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/support/log_failures.hpp"
#include "messages/wire.hpp"
#include "runtime/openai/api_error.hpp"
#include "runtime/serve/replies.hpp"
#include "runtime/serve/stage_figures.hpp"

namespace flowspec {

namespace {

using Clock = std::chrono::steady_clock;
using poll_a = caf::atom_constant<caf::atom("poll")>;

constexpr std::chrono::milliseconds interval{250};
/// Hops that compute a long segment answer late; the coordinator then answers without them.
constexpr std::chrono::seconds ask_limit{3};
constexpr std::size_t most_listeners = 64;
constexpr std::size_t most_news = 50;

std::uint64_t now_us() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch())
          .count());
}

class Watch {
 public:
  static constexpr const char* name = "watch";

  void init(caf::event_based_actor* self, std::shared_ptr<PipelineAnswers> shared,
            ClusterState shape) {
    self_ = self;
    log_failures(self);
    shared_ = std::move(shared);
    state_ = std::move(shape);
    self->send(shared_->coordinator, hello_a_v, caf::actor_cast<caf::actor>(self));
  }

  void look(const PipelineLook& look) {
    if (look.what == PipelineLook::What::events) {
      if (listeners_.size() >= most_listeners)
        return refuse(*look.reply, shared_->metrics, openai::queue_full(most_listeners));
      look.reply->begin_stream("text/event-stream; charset=utf-8",
                               {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}});
      shared_->metrics.http_answered(200);
      listeners_.push_back(look.reply);
    } else {
      waiting_.push_back(look);
    }
    ask();
  }

  void lost(const std::string& why) {
    shared_->set_loss(why);
    tell(why);
  }

  void poll() {
    is_timed_ = false;
    if (!listeners_.empty())
      ask();
  }

 private:
  void ask() {
    if (std::exchange(is_asking_, true))
      return;
    asked_ = Clock::now();
    self_->request(shared_->coordinator, ask_limit, stats_a_v)
        .then(
            [this](const std::vector<StageStatsMessage>& messages) {
              std::vector<StageStats> stats;
              for (const auto& message : messages)
                if (auto content = message.read())
                  stats.push_back(std::move(*content));
              ask_places(std::move(stats));
            },
            [this](const caf::error&) { answered({}, {}); });
  }

  void ask_places(std::vector<StageStats> stats) {
    self_->request(shared_->coordinator, ask_limit, status_a_v)
        .then([this, stats](const std::vector<std::string>& places) { answered(stats, places); },
              [this, stats](const caf::error&) { answered(stats, {}); });
  }

  void answered(std::vector<StageStats> stats, std::vector<std::string> places) {
    is_asking_ = false;
    auto before = state_;
    state_.at_us = now_us();
    state_.stats = std::move(stats);
    if (!places.empty())
      state_.places = std::move(places);
    state_.health = shared_->loss().empty() ? ServeHealth::ready : ServeHealth::degraded;
    state_.sessions = shared_->live.sessions();
    state_.totals = shared_->live.totals();
    note_losses(before, state_);
    for (const auto& text : changes(before, state_))
      tell(text);
    auto up_s = std::chrono::duration<double>(Clock::now() - since_).count();
    for (const PipelineLook& look : std::exchange(waiting_, {}))
      show(look, up_s);
    if (listeners_.empty())
      return;
    auto event = fmt::format("event: state\ndata: {}\n\n", state_event_json(state_));
    // Who does not read misses some states.
    for (const auto& listener : listeners_)
      listener->write(event);
    std::erase_if(listeners_, [](const auto& listener) { return listener->gone(); });
    if (listeners_.empty() || std::exchange(is_timed_, true))
      return;
    auto next = interval - (Clock::now() - asked_);
    self_->delayed_send(self_,
                        std::max(std::chrono::duration_cast<std::chrono::milliseconds>(next),
                                 std::chrono::milliseconds(50)),
                        poll_a{});
  }

  void show(const PipelineLook& look, double up_s) {
    if (look.what == PipelineLook::What::cluster)
      return respond(*look.reply, shared_->metrics, 200, json_type, cluster_json(state_));
    if (auto figures = stage_figures(state_, up_s); !figures.empty())
      shared_->metrics.update(figures);
    shared_->metrics.update(pipeline_figures(state_));
    respond(*look.reply, shared_->metrics, 200, openai::metrics_type, shared_->metrics.text());
  }

  void tell(const std::string& text) {
    state_.news.push_back({now_us(), text});
    if (state_.news.size() > most_news)
      state_.news.erase(state_.news.begin());
  }

  caf::event_based_actor* self_ = nullptr;
  std::shared_ptr<PipelineAnswers> shared_;
  ClusterState state_;
  std::vector<std::shared_ptr<HttpReply>> listeners_;
  std::vector<PipelineLook> waiting_;
  Clock::time_point since_ = Clock::now();
  Clock::time_point asked_;
  bool is_asking_ = false;
  bool is_timed_ = false;
};

struct WatchStart {
  std::shared_ptr<PipelineAnswers> shared;
  ClusterState shape;
};

caf::behavior watch(caf::stateful_actor<Watch>* self, const std::shared_ptr<WatchStart>& start) {
  auto& state = self->state;
  state.init(self, start->shared, std::move(start->shape));
  return {
      [&state](const PipelineLook& look) { state.look(look); },
      [&state](lost_a, const std::string& why) { state.lost(why); },
      [&state](poll_a) { state.poll(); },
  };
}

}  // namespace

caf::actor spawn_watch(const std::shared_ptr<PipelineAnswers>& shared, ClusterState shape) {
  return shared->system.spawn(watch,
                              std::make_shared<WatchStart>(WatchStart{shared, std::move(shape)}));
}

}  // namespace flowspec
