#include "runtime/bench/load_client.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

class LoadClient {
 public:
  static constexpr const char* name = "load_client";

  void init(caf::event_based_actor* self, CoordinatorActor coordinator, Load load,
            std::shared_ptr<LoadResult> result) {
    self_ = self;
    log_failures(self);
    coordinator_ = std::move(coordinator);
    load_.emplace(std::move(load));
    result_ = std::move(result);
    result_->log.requests.resize(load_->requests.size());
    start_ = self->clock().now();
    if (load_->beside)
      submit(beside, *load_->beside);
    go_on();
  }

  void text(const TextDeltaMessage& message) {
    auto delta = message.read();
    if (!delta)
      return;
    auto& log = logs_[delta->session];
    if (delta->text.empty())
      ++log.advances;
    else
      log.pieces.push_back({now(), delta->text.size()});
  }

  void report(const ReportMessage& message) {
    auto report = message.read();
    if (!report)
      return end(ErrorCode::internal, error_text(report.error()));
    auto session = report->session;
    auto& log = logs_[session];
    log.ended_s = now();
    log.report = std::move(*report);
    ended_.push_back(session);
    go_on();
  }

  void go_on() {
    take_ended();
    while (auto next = load_->schedule.begin(now()))
      submit(*next, load_->requests[*next]);
    if (auto arrival = load_->schedule.next_arrival(); arrival && *arrival > now())
      self_->delayed_send(self_,
                          std::chrono::ceil<std::chrono::nanoseconds>(
                              std::chrono::duration<double>(*arrival - now())),
                          tick_a_v);
    if (!load_->schedule.is_done() || result_->is_done)
      return;
    if (!load_->beside || result_->log.beside) {
      result_->is_done = true;
      self_->quit();
    } else if (beside_session_ != no_session && !std::exchange(cancels_, true)) {
      self_->send(coordinator_, CancelMessage{{beside_session_}});
    }
  }

 private:
  static constexpr std::size_t beside = static_cast<std::size_t>(-1);

  double now() const {
    return std::chrono::duration<double>(self_->clock().now() - start_).count();
  }

  void submit(std::size_t number, Request request) {
    request.client = caf::actor_cast<caf::actor>(self_);
    auto begun = now();
    self_->request(coordinator_, caf::infinite, submit_a_v, std::move(request))
        .then(
            [this, number, begun](SessionId session) {
              numbers_[session] = number;
              if (number == beside)
                beside_session_ = session;
              auto& log = logs_[session];
              log.begun_s = log.arrived_s = begun;
              if (number != beside)
                log.arrived_s = load_->schedule.arrival_of(number);
              go_on();
            },
            [this, number](const caf::error& error) {
              end(error_code(error), fmt::format("{}: {}", title(number), error_text(error)));
            });
  }

  /// A report may come before the number of its session.
  void take_ended() {
    std::erase_if(
        ended_,
        [this](SessionId session) {
          auto number = numbers_.find(session);
          if (number == numbers_.end() || result_->is_done)
            return false;
          take(number->second, std::move(logs_.extract(session).mapped()));
          return true;
        });
  }

  void take(std::size_t number, RequestLog log) {
    if (log.report.finish == Finish::failed)
      return end(ErrorCode::internal, fmt::format("{}: {}", title(number), log.report.error));
    if (number == beside) {
      result_->log.beside = std::move(log);
      return;
    }
    // With nothing to wait for, a request arrives when the one before it has made room.
    if (log.arrived_s == 0)
      log.arrived_s = log.begun_s;
    result_->log.requests[number] = std::move(log);
    load_->schedule.ended();
  }

  static std::string title(std::size_t number) {
    return number == beside ? "the long prompt" : fmt::format("request {}", number + 1);
  }

  void end(ErrorCode code, std::string error) {
    if (std::exchange(result_->is_done, true))
      return;
    result_->code = code;
    result_->error = std::move(error);
    self_->quit();
  }

  caf::event_based_actor* self_ = nullptr;
  CoordinatorActor coordinator_;
  std::optional<Load> load_;
  std::shared_ptr<LoadResult> result_;
  caf::actor_clock::time_point start_;
  std::map<SessionId, std::size_t> numbers_;
  std::map<SessionId, RequestLog> logs_;
  /// Those that have reported and are not taken.
  std::vector<SessionId> ended_;
  SessionId beside_session_ = no_session;
  bool cancels_ = false;
};

caf::behavior load_client(caf::stateful_actor<LoadClient>* self, CoordinatorActor coordinator,
                          const std::shared_ptr<Load>& load,
                          const std::shared_ptr<LoadResult>& result) {
  auto& state = self->state;
  state.init(self, std::move(coordinator), std::move(*load), result);
  return {
      [&state](const TextDeltaMessage& message) { state.text(message); },
      [&state](const ReportMessage& message) { state.report(message); },
      [&state](tick_a) { state.go_on(); },
  };
}

}  // namespace

caf::actor spawn_load_client(caf::actor_system& system, CoordinatorActor coordinator, Load load,
                             std::shared_ptr<LoadResult> result) {
  return system.spawn(load_client, std::move(coordinator), std::make_shared<Load>(std::move(load)),
                      std::move(result));
}

LoadLog take_log(LoadResult& result) {
  if (!result.error.empty())
    throw RuntimeError(result.code, result.error);
  return std::move(result.log);
}

}  // namespace flowspec
