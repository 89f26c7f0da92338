#include "actors/pipeline/session.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/policy/policy.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/sampler_options.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"
#include "messages/limits.hpp"
#include "models/tokenizer/text_stream.hpp"
#include "models/tokenizer/tokenizer.hpp"

namespace flowspec {

namespace {

using Clock = caf::actor_clock;
using Span = Clock::time_point::duration;

/// The last token is only written, never read.
void set_limit(Open& open, const Request& request, Position limit) {
  auto last = positions_of(request) - 1;
  open.position_limit = limit != 0 ? std::min(limit, last) : last;
  open.slots = open.position_limit;
}

class Session {
 public:
  static constexpr const char* name = "session";

  void init(SessionActor::pointer self, SessionConfig config) {
    self_ = self;
    log_failures(self);
    config_ = std::move(config);
    number_ = config_.open.session;
    report_.session = config_.id != no_session ? config_.id : number_;
    report_.prompt_tokens = static_cast<std::uint32_t>(config_.open.prompt.size());
    note_shared(config_.open.cached_tokens);
    if (config_.request.tokenizer != nullptr)
      text_.emplace(*config_.request.tokenizer, config_.request.stop);
    start_ = last_progress_ = now();
    if (!submit(config_.open))
      return;
    self_->delayed_send(self_, config_.request.progress_limit, tick_a_v);
  }

  void pause() {
    if (!closing_ && !paused_since_)
      paused_since_ = now();
  }

  /// Behind what opens it: from anybody else, it could reach the pruner before that.
  void grow(const GrowMessage& message) {
    auto grow = message.read();
    if (grow && !closing_ && parking_ == Parking::no && grow->session == number_)
      self_->send(config_.pruner, message);
  }

  void park() {
    if (closing_ || parking_ != Parking::no)
      return;
    parking_ = Parking::leaving;
    self_->send(config_.pruner, CloseMessage{{number_, false, {}}});
  }

  /// The text goes on behind the tokens that have been accepted. Random numbers depend on the position
  /// alone, so it is the text that would have been written.
  void resume(SessionId id, const SessionRoom& room, TreePrunerActor pruner) {
    bool is_new = pruner != config_.pruner;
    config_.pruner = std::move(pruner);
    if (closing_ && is_new)
      return close_now();  // the one that would have confirmed it is no more
    if (closing_)
      return;
    number_ = id;
    last_progress_ = now();
    if (paused_since_) {
      ++report_.recoveries;
      report_.paused_us += us(last_progress_ - *paused_since_);
      paused_since_.reset();
    }
    if (std::exchange(parking_, Parking::no) != Parking::no)
      note_shared(room.cached);
    Open open = config_.open;
    open.session = id;
    open.prompt_tokens = static_cast<Position>(open.prompt.size());
    open.prompt.insert(open.prompt.end(), report_.tokens.begin(), report_.tokens.end());
    open.prefix_session = room.source;
    open.cached_tokens = std::min(room.cached, static_cast<Position>(open.prompt.size() - 1));
    set_limit(open, config_.request, room.limit);
    submit(open);
  }

  void tokens(const TokensMessage& message) {
    auto tokens = message.read();
    if (!tokens || closing_ || tokens->session != number_)
      return;
    note_progress();
    if (config_.owner && (config_.request.keep || config_.request.grows))
      self_->send(caf::actor_cast<CoordinatorSide>(config_.owner), message);
    // Tells the client that the prompt advances: reading it may take longer than a client waits for
    // a message.
    if (tokens->tokens.empty()) {
      caf::anon_send(config_.request.client, TextDeltaMessage{{report_.session, {}}});
      return;
    }
    auto expected = config_.open.prompt.size() + report_.tokens.size();
    if (tokens->position != expected)
      return fail(fmt::format("tokens for position {}, expected {}", tokens->position, expected));
    may_begin_again_ = false;
    if (report_.tokens.empty())
      first_token_ = last_progress_;
    ++report_.verifications;
    std::string delta;
    std::vector<TokenLogprob> logprobs;
    bool tells = config_.open.sampling.logprobs > 0 && !tokens->logprobs.empty();
    for (std::size_t i = 0; i < tokens->tokens.size(); ++i) {
      if (tells)
        logprobs.push_back(std::move(tokens->logprobs[i]));
      if (auto end = accept(tokens->tokens[i], delta)) {
        send_text(delta, std::move(logprobs));
        return finish(*end);
      }
    }
    send_text(delta, std::move(logprobs));
  }

  void fault(const FaultMessage& message) {
    auto fault = message.read();
    if (!fault || closing_ || (fault->session != number_ && fault->session != no_session))
      return;
    // Of one session only: else the pipeline is lost, and nothing begins again.
    if (fault->session == number_) {
      if (parking_ != Parking::no)
        return;  // it begins anew
      // Perhaps the one that it shares with has failed on some hop.
      if (std::exchange(may_begin_again_, false)) {
        spdlog::warn("session {} begins anew, without the {} tokens that it shared: {}", number_,
                     config_.open.cached_tokens, fault->error);
        return park();
      }
    }
    auto where =
        fault->stage == not_a_stage ? std::string{} : fmt::format("stage {}: ", fault->stage);
    fail(where + fault->error);
  }

  void cancel() {
    if (closing_)
      return;
    // With `keep`, rows in flight are computed all the same: dropped rows would leave no KV to
    // keep.
    if (!config_.request.keep)
      self_->send(config_.pruner, CancelMessage{{number_}});
    finish(Finish::cancelled);
  }

  void closed(const ClosedMessage& message) {
    auto closed = message.read();
    if (!closed)
      return;
    if (!closing_ && parking_ != Parking::no) {
      if (parking_ == Parking::leaving && closed->session == number_) {
        parking_ = Parking::parked;
        self_->send(caf::actor_cast<CoordinatorSide>(config_.owner), park_a_v, report_.session);
      }
      return;
    }
    close_now();
  }

  void close_now() {
    if (!closing_)
      fail("the pipeline closed the session");
    caf::anon_send(config_.request.client, ReportMessage{report_});
    bool keeps = config_.request.keep && report_.finish != Finish::failed;
    if (config_.owner)
      self_->send(caf::actor_cast<CoordinatorSide>(config_.owner), done_a_v, report_.session,
                  keeps && parking_ == Parking::no ? number_ : no_session);
    self_->quit();
  }

  void tick() {
    if (closing_) {
      // The tick of the progress limit may still come.
      if (now() < close_by_)
        return;
      spdlog::warn("session {}: the pipeline did not confirm its end in time", report_.session);
      return close_now();
    }
    bool waits = paused_since_ || parking_ != Parking::no;
    auto idle = waits ? Span{} : now() - last_progress_;
    if (idle < config_.request.progress_limit) {
      self_->delayed_send(self_, config_.request.progress_limit - idle, tick_a_v);
      return;
    }
    auto stuck = [this](const std::string& where) {
      auto seconds = std::chrono::duration<double>(config_.request.progress_limit).count();
      fail(fmt::format("no progress for {} s; {}", seconds, where));
    };
    self_->request(config_.pruner, std::chrono::seconds(1), progress_a_v)
        .then(stuck, [stuck](const caf::error&) { stuck("the tree pruner does not answer"); });
  }

 private:
  /// What a session sends to its owner.
  using CoordinatorSide = caf::typed_actor<reacts_to<TokensMessage>, reacts_to<park_a, SessionId>,
                                           reacts_to<done_a, SessionId, SessionId>>;

  Clock::time_point now() const { return self_->clock().now(); }

  static std::uint64_t us(Span span) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(span).count());
  }

  void note_shared(Position cached) {
    if (report_.tokens.empty())
      report_.cached_tokens = cached;
    may_begin_again_ = cached > 0 && config_.owner;
  }

  void note_progress() {
    auto before = std::exchange(last_progress_, now());
    longest_gap_ = std::max<Span>(longest_gap_, last_progress_ - before);
  }

  /// What is in the pipeline ahead of Close takes about as long as trips have taken so far: longer
  /// than the limit, if devices are slow.
  Span close_limit() const {
    constexpr int trips = 3;
    Span least = config_.request.close_limit;
    Span most = std::max(config_.request.close_limit, config_.request.progress_limit);
    return std::clamp<Span>(trips * longest_gap_, least, most);
  }

  bool submit(const Open& open) {
    try {
      OpenMessage message{open};
      if (auto readable = message.read(); !readable) {
        refuse(error_text(readable.error()));
        return false;
      }
      self_->send(config_.pruner, submit_a_v, message, caf::actor_cast<SessionActor>(self_));
      return true;
    } catch (const std::length_error& e) {
      refuse(e.what());
      return false;
    }
  }

  /// Ends the session before the pipeline has heard of it.
  void refuse(const std::string& why) {
    report_.finish = Finish::failed;
    report_.error = fmt::format("the pipeline can't take the session: {}", why);
    caf::anon_send(config_.request.client, ReportMessage{report_});
    self_->quit();
  }

  /// Takes one token; says how the session ends if it ends here.
  std::optional<Finish> accept(Token token, std::string& delta) {
    report_.tokens.push_back(token);
    if (config_.request.tokenizer != nullptr && config_.request.tokenizer->is_end_of_text(token))
      return Finish::end_of_text;
    if (text_) {
      delta += text_->push(token);
      if (text_->stopped())
        return Finish::stop_string;
    }
    if (report_.tokens.size() >= config_.request.max_tokens)
      return Finish::length;
    return std::nullopt;
  }

  /// Sends the text in pieces that fit in a message, cut between characters. The first has the tokens,
  /// whose text may be in a later one.
  void send_text(std::string_view text, std::vector<TokenLogprob> tokens = {}) {
    while (!text.empty() || !tokens.empty()) {
      auto size = std::min(text.size(), limits::text);
      while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80)
        --size;
      caf::anon_send(config_.request.client,
                     TextDeltaMessage{{report_.session, std::string(text.substr(0, size)),
                                       std::exchange(tokens, {})}});
      text.remove_prefix(size);
    }
  }

  void fail(const std::string& error) {
    report_.error = error;
    finish(Finish::failed);
  }

  void finish(Finish finish) {
    if (closing_)
      return;
    closing_ = true;
    report_.finish = finish;
    auto end = now();
    bool started = !report_.tokens.empty();
    report_.prefill_us = us((started ? first_token_ : end) - start_);
    report_.decode_us = started ? us(end - first_token_) : 0;
    if (text_ && finish != Finish::stop_string)
      send_text(text_->finish());
    self_->send(config_.pruner,
                CloseMessage{{number_, config_.request.keep && finish != Finish::failed, {}}});
    close_by_ = now() + close_limit();
    self_->delayed_send(self_, close_limit(), tick_a_v);
  }

  SessionActor::pointer self_ = nullptr;
  SessionConfig config_;
  Report report_;
  /// How the pipeline knows the session.
  SessionId number_ = no_session;
  std::optional<TextStream> text_;
  bool closing_ = false;
  /// It leaves the pipeline for some time.
  enum class Parking { no, leaving, parked };
  Parking parking_ = Parking::no;
  bool may_begin_again_ = false;
  Clock::time_point start_;
  Clock::time_point first_token_;
  Clock::time_point last_progress_;
  /// Longest time between two signs of progress: about the longest trip so far.
  Span longest_gap_{};
  std::optional<Clock::time_point> paused_since_;
  Clock::time_point close_by_;
};

SessionActor::behavior_type session(SessionActor::stateful_pointer<Session> self,
                                    SessionConfig config) {
  self->state.init(self, std::move(config));
  auto& state = self->state;
  return {
      [&state](const TokensMessage& message) { state.tokens(message); },
      [&state](const FaultMessage& message) { state.fault(message); },
      [&state](const ClosedMessage& message) { state.closed(message); },
      [&state](const CancelMessage&) { state.cancel(); },
      [&state](pause_a) { state.pause(); },
      [&state](const GrowMessage& message) { state.grow(message); },
      [&state](park_a) { state.park(); },
      [&state](resume_a, SessionId id, Position limit, SessionId source, Position cached,
               const caf::actor& pruner) {
        state.resume(id, {limit, source, cached}, caf::actor_cast<TreePrunerActor>(pruner));
      },
      [&state](tick_a) { state.tick(); },
  };
}

}  // namespace

SessionConfig make_session(Request request, SessionId id, TreePrunerActor pruner,
                           SessionRoom room) {
  SessionConfig session;
  session.request = std::move(request);
  session.pruner = std::move(pruner);
  Open& open = session.open;
  open.session = id;
  open.root = 1;
  open.prompt = session.request.prompt;
  open.sampling = sampling_params(session.request.sampling);
  open.prefix_session = room.source;
  open.cached_tokens = room.cached;
  set_limit(open, session.request, room.limit);
  return session;
}

Position positions_of(const Request& request) {
  return static_cast<Position>(request.prompt.size()) + request.max_tokens;
}

std::uint32_t live_slots(const DraftPolicy& policy) {
  return policy.max_sent + policy.window * policy.segment_rows;
}

std::uint32_t session_slots(const DraftPolicy& policy, std::uint32_t position_limit) {
  return position_limit + live_slots(policy);
}

SessionActor spawn_session(caf::actor_system& system, SessionConfig config) {
  return system.spawn(session, std::move(config));
}

}  // namespace flowspec
