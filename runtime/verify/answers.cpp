#include "runtime/verify/answers.hpp"

#include <map>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "runtime/ask.hpp"

namespace flowspec {

namespace {

constexpr std::size_t at_once = 2;

}  // namespace

Answers::Answers(caf::actor_system& system, const Run& run, const Tokenizer& tokenizer,
                 std::chrono::seconds progress_limit)
    : system_(system),
      run_(run),
      tokenizer_(std::make_shared<const Tokenizer>(tokenizer)),
      progress_limit_(progress_limit) {}

SessionConfig Answers::make_session(const Question& question) {
  SessionConfig session;
  session.open.session = ++last_session_;
  session.open.root = 1;
  session.open.prompt = question.prompt;
  const SamplerOptions& how = question.sampling;
  session.open.sampling = {how.temperature, how.top_k, how.top_p, how.seed};
  // The last token is only written, never read.
  session.open.position_limit =
      static_cast<Position>(question.prompt.size()) + question.max_tokens - 1;
  session.open.slots = session_slots(run_.policy(), session.open.position_limit);
  session.max_tokens = question.max_tokens;
  session.tokenizer = tokenizer_;
  session.progress_limit = progress_limit_;
  return session;
}

std::vector<Answer> Answers::get(std::span<const Question> questions) {
  caf::scoped_actor self(system_);
  std::vector<Answer> answers(questions.size());
  std::map<SessionId, std::size_t> open;
  std::string error;
  std::size_t next = 0;
  while (error.empty() && (next < questions.size() || !open.empty())) {
    if (next < questions.size() && open.size() < at_once) {
      auto session = make_session(questions[next]);
      session.client = caf::actor_cast<caf::actor>(self);
      open.emplace(session.open.session, next++);
      ask<SessionActor>(self, run_.coordinator(), std::chrono::seconds(10), submit_a_v,
                        SessionRequest{std::move(session)});
      continue;
    }
    self->receive(
        [](const TextDeltaMessage&) {},
        [&](const ReportMessage& message) {
          auto report = message.read();
          if (!report || !open.contains(report->session))
            return;
          if (report->finish == Finish::failed)
            error = report->error;
          auto question = open.extract(report->session).mapped();
          answers[question] = {std::move(report->tokens), report->verifications};
        },
        // A session reports by itself within its limits; should it not, the wait ends all the same.
        caf::after(progress_limit_ + std::chrono::seconds(30)) >>
            [&] { error = "the sessions give no sign of life"; });
  }
  if (!error.empty())
    throw RuntimeError(ExitCode::failed, error);
  return answers;
}

}  // namespace flowspec
