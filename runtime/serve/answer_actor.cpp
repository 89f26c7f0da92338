/// The bridge between the sessions of a request and its connection.

#include <chrono>
#include <optional>
#include <utility>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "messages/wire.hpp"
#include "runtime/openai/answer_stream.hpp"
#include "runtime/openai/api_error.hpp"
#include "runtime/serve/answer_writer.hpp"
#include "runtime/serve/pipeline_answers.hpp"
#include "runtime/serve/replies.hpp"

namespace flowspec {

namespace {

using Clock = std::chrono::steady_clock;
using openai::ApiError;

// From the connection, the gate, and the server, to the actor.
using start_a = caf::atom_constant<caf::atom("start")>;
using gone_a = caf::atom_constant<caf::atom("gone")>;
using drain_a = caf::atom_constant<caf::atom("drain")>;
using stop_a = caf::atom_constant<caf::atom("stop")>;
using beat_a = caf::atom_constant<caf::atom("beat")>;

constexpr std::chrono::seconds keepalive_interval{15};
constexpr std::chrono::seconds submit_limit{20};
/// What is kept of a stream for a client that reads slowly, beside what the server keeps.
constexpr std::size_t most_backlog = std::size_t{512} << 10;

double seconds_since(Clock::time_point time) {
  return std::chrono::duration<double>(Clock::now() - time).count();
}

class Answer {
 public:
  static constexpr const char* name = "answer";

  void init(caf::event_based_actor* self, std::shared_ptr<PipelineAnswers> shared,
            PreparedAnswer prepared, std::shared_ptr<HttpReply> reply) {
    self_ = self;
    log_failures(self);
    shared_ = std::move(shared);
    prepared_ = std::move(prepared);
    reply_ = std::move(reply);
    writer_.emplace(prepared_, shared_->model);
    auto handle = caf::actor_cast<caf::actor>(self);
    auto tell = [handle](auto what) { return [handle, what] { caf::anon_send(handle, what); }; };
    for (const Request& request : prepared_.sessions) {
      choices_.push_back({shared_->live.add(request.prompt.size())});
      shared_->metrics.request_received();
    }
    if (!shared_->add(handle))
      return fail(openai::not_ready("The server is being stopped."));
    reply_->on_gone(tell(gone_a{}));
    reply_->on_drain(tell(drain_a{}));
    ticket_ = shared_->gate.enter(choices_.size(), tell(start_a{}));
    if (!ticket_)
      return fail(openai::queue_full(shared_->gate.most_waiting()));
    self_->delayed_send(self_, keepalive_interval, beat_a{});
  }

  ~Answer() {
    if (shared_)
      shared_->remove(self_->address());
  }

  void start() {
    if (is_leaving_)
      return;
    has_started_ = true;
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      auto request = std::move(prepared_.sessions[i]);
      request.client = caf::actor_cast<caf::actor>(self_);
      ++submitting_;
      self_->request(shared_->coordinator, submit_limit, submit_a_v, std::move(request))
          .then([this, i](SessionId id) { submitted(i, id); },
                [this](const caf::error& error) { refused(error); });
    }
  }

  void text(const TextDeltaMessage& message) {
    auto delta = message.read();
    if (!delta || is_leaving_)
      return;
    auto choice = find(delta->session);
    if (!choice) {
      early_texts_.push_back(message);
      return;
    }
    auto& one = choices_[*choice];
    note_start(one);
    if (!delta->text.empty() || !delta->tokens.empty())
      note_text(one, *delta);
    send(writer_->more(*choice, *delta));
  }

  void report(const ReportMessage& message) {
    auto report = message.read();
    if (!report)
      return fail(openai::internal_error(error_text(report.error())));
    auto choice = find(report->session);
    if (!choice) {
      early_reports_.push_back(message);
      return;
    }
    auto& one = choices_[*choice];
    if (std::exchange(one.has_ended, true))
      return;
    note_end(one, *report);
    if (is_leaving_)
      return quit_if_done();
    if (report->finish == Finish::failed) {
      auto loss = shared_->loss();
      return fail(loss.empty() ? openai::internal_error(report->error)
                               : openai::node_lost(report->error));
    }
    send(writer_->finish(*choice, *report));
    if (is_leaving_ || !writer_->is_complete())
      return;
    if (!writer_->is_stream()) {
      respond(*reply_, shared_->metrics, 200, json_type, writer_->end());
      return leave();
    }
    send(writer_->end());
    is_complete_ = true;
    finish_stream();
  }

  /// The client.
  void gone() {
    if (!is_leaving_)
      leave();
  }

  /// There is room again in the queue of the connection.
  void drained() {
    if (is_leaving_ || backlog_.empty() || !reply_->write(backlog_))
      return;
    backlog_.clear();
    last_sent_ = Clock::now();
    if (is_complete_)
      finish_stream();
  }

  /// The server.
  void stop() {
    if (is_leaving_)
      return self_->quit();
    if (!has_started_)
      return fail(openai::not_ready("The server is being stopped."));
    cancel();
  }

  void beat() {
    if (is_leaving_)
      return;
    auto idle = Clock::now() - last_sent_;
    if (idle < keepalive_interval) {
      self_->delayed_send(
          self_, std::chrono::duration_cast<std::chrono::milliseconds>(keepalive_interval - idle),
          beat_a{});
      return;
    }
    if (writer_->is_stream() && backlog_.empty())
      send(std::string(openai::keepalive_event));
    self_->delayed_send(self_, keepalive_interval, beat_a{});
  }

 private:
  struct Choice {
    std::uint64_t live = 0;
    SessionId session = no_session;
    bool has_started = false;
    bool has_text = false;
    bool has_ended = false;
    Clock::time_point last_text{};
  };

  std::optional<std::size_t> find(SessionId session) const {
    for (std::size_t i = 0; i < choices_.size(); ++i)
      if (choices_[i].session == session)
        return i;
    return std::nullopt;
  }

  void submitted(std::size_t choice, SessionId id) {
    --submitting_;
    choices_[choice].session = id;
    if (is_leaving_) {
      cancel();
      return quit_if_done();
    }
    // A session may be faster than the coordinator's answer.
    for (const auto& message : std::exchange(early_texts_, {}))
      text(message);
    for (const auto& message : std::exchange(early_reports_, {}))
      report(message);
  }

  void refused(const caf::error& error) {
    --submitting_;
    if (is_leaving_)
      return quit_if_done();
    auto code = error_code(error);
    auto text = error_text(error);
    if (code == ErrorCode::does_not_fit)
      return fail(openai::invalid_request(text, "max_tokens", "context_length_exceeded"));
    if (code == ErrorCode::busy)
      return fail(ApiError(429, "rate_limit_error", text, {}, "queue_full"));
    fail(openai::api_error(code, text));
  }

  void note_start(Choice& choice) {
    if (std::exchange(choice.has_started, true))
      return;
    shared_->metrics.request_started(seconds_since(prepared_.received));
    shared_->live.begin(choice.live);
  }

  void note_text(Choice& choice, const TextDelta& delta) {
    auto tokens = delta.tokens.size();
    // Nobody says how many, until the end; to cut the text again comes near it.
    if (tokens == 0)
      tokens = std::max<std::size_t>(
          1, prepared_.tokenizer->encode(delta.text, {.add_bos = false, .add_eos = false}).size());
    if (!std::exchange(choice.has_text, true)) {
      shared_->metrics.first_token(seconds_since(prepared_.received));
      if (tokens > 1)
        shared_->metrics.more_tokens(tokens - 1, 0);
    } else {
      shared_->metrics.more_tokens(tokens, seconds_since(choice.last_text));
    }
    choice.last_text = Clock::now();
    shared_->live.advance(choice.live, tokens);
  }

  void note_end(Choice& choice, const Report& report) {
    shared_->live.end(choice.live, report);
    bool is_unheard = !choice.has_started && report.tokens.empty();
    if (is_unheard && report.finish != Finish::end_of_text)
      return shared_->metrics.request_dropped();
    note_start(choice);
    shared_->metrics.request_finished({report.finish, report.prompt_tokens, report.cached_tokens,
                                       report.tokens.size(), seconds_since(prepared_.received),
                                       static_cast<double>(report.prefill_us) / 1e6,
                                       static_cast<double>(report.decode_us) / 1e6});
    if (report.recoveries > 0)
      shared_->metrics.recovered(static_cast<double>(report.paused_us) / 1e6);
  }

  void send(const std::string& text) {
    if (text.empty() || is_leaving_)
      return;
    if (!std::exchange(has_begun_, true)) {
      shared_->metrics.http_answered(200);
      // Proxies that collect an answer would spoil it.
      reply_->begin_stream(openai::stream_type,
                           {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}});
    }
    last_sent_ = Clock::now();
    if (backlog_.empty() && reply_->write(text))
      return;
    backlog_ += text;
    if (backlog_.size() <= most_backlog || reply_->gone())
      return;
    spdlog::info("a client reads its answer too slowly; it is broken off");
    leave();
  }

  void finish_stream() {
    if (is_leaving_ || !backlog_.empty())
      return;
    reply_->finish();
    leave();
  }

  void fail(const ApiError& error) {
    if (is_leaving_)
      return;
    if (!has_begun_) {
      refuse(*reply_, shared_->metrics, error);
    } else {
      auto event = error_event(error);
      if (backlog_.empty() && reply_->write(event))
        reply_->finish();
    }
    leave();
  }

  void cancel() {
    for (const Choice& choice : choices_)
      if (choice.session != no_session && !choice.has_ended)
        self_->send(shared_->coordinator, CancelMessage{{choice.session}});
  }

  /// Nothing is left to be said. The sessions that are still there have to be seen off.
  void leave() {
    is_leaving_ = true;
    reply_.reset();
    backlog_.clear();
    cancel();
    quit_if_done();
  }

  void quit_if_done() {
    if (submitting_ > 0)
      return;
    for (auto& choice : choices_)
      if (!choice.has_ended) {
        if (choice.session != no_session)
          return;  // its report is still to come
        choice.has_ended = true;
        shared_->live.drop(choice.live);
        shared_->metrics.request_dropped();
      }
    self_->quit();
  }

  caf::event_based_actor* self_ = nullptr;
  std::shared_ptr<PipelineAnswers> shared_;
  PreparedAnswer prepared_;
  std::shared_ptr<HttpReply> reply_;
  std::optional<AnswerWriter> writer_;
  std::unique_ptr<RequestGate::Ticket> ticket_;
  std::vector<Choice> choices_;
  std::vector<TextDeltaMessage> early_texts_;
  std::vector<ReportMessage> early_reports_;
  /// Chunks that the connection has no room for.
  std::string backlog_;
  std::size_t submitting_ = 0;
  Clock::time_point last_sent_ = Clock::now();
  bool has_started_ = false;
  bool has_begun_ = false;
  bool is_complete_ = false;
  bool is_leaving_ = false;
};

struct Start {
  std::shared_ptr<PipelineAnswers> shared;
  PreparedAnswer prepared;
  std::shared_ptr<HttpReply> reply;
};

caf::behavior answer(caf::stateful_actor<Answer>* self, const std::shared_ptr<Start>& start) {
  auto& state = self->state;
  state.init(self, start->shared, std::move(start->prepared), std::move(start->reply));
  return {
      [&state](start_a) { state.start(); },
      [&state](gone_a) { state.gone(); },
      [&state](drain_a) { state.drained(); },
      [&state](stop_a) { state.stop(); },
      [&state](beat_a) { state.beat(); },
      [&state](const TextDeltaMessage& message) { state.text(message); },
      [&state](const ReportMessage& message) { state.report(message); },
  };
}

}  // namespace

void spawn_answer(const std::shared_ptr<PipelineAnswers>& shared, PreparedAnswer prepared,
                  std::shared_ptr<HttpReply> reply) {
  shared->system.spawn(
      answer, std::make_shared<Start>(Start{shared, std::move(prepared), std::move(reply)}));
}

void stop_answers(PipelineAnswers& shared) {
  for (const auto& one : shared.close())
    caf::anon_send(one, stop_a{});
}

std::string PipelineAnswers::loss() const {
  std::lock_guard lock(mutex_);
  return loss_;
}

void PipelineAnswers::set_loss(const std::string& why) {
  std::lock_guard lock(mutex_);
  if (loss_.empty())
    loss_ = why;
}

bool PipelineAnswers::add(const caf::actor& one) {
  std::lock_guard lock(mutex_);
  if (is_closed_)
    return false;
  answers_.emplace(one.address(), one);
  return true;
}

void PipelineAnswers::remove(const caf::actor_addr& one) {
  std::lock_guard lock(mutex_);
  answers_.erase(one);
}

std::vector<caf::actor> PipelineAnswers::close() {
  std::lock_guard lock(mutex_);
  is_closed_ = true;
  std::vector<caf::actor> all;
  for (const auto& [address, one] : answers_)
    all.push_back(one);
  return all;
}

}  // namespace flowspec
