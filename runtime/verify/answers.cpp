#include "runtime/verify/answers.hpp"

#include <map>

#include <caf/all.hpp>

#include "runtime/console/error.hpp"
#include "runtime/run/submit.hpp"

namespace flowspec {

namespace {

constexpr std::size_t at_once = 2;

}  // namespace

Answers::Answers(caf::actor_system& system, const Run& run, const Tokenizer& tokenizer,
                 std::chrono::seconds progress_limit)
    : system_(system), run_(run) {
  common_.tokenizer = std::make_shared<const Tokenizer>(tokenizer);
  common_.progress_limit = progress_limit;
}

Request Answers::make_request(const Question& question) const {
  auto request = common_;
  request.prompt = question.prompt;
  request.max_tokens = question.max_tokens;
  request.sampling = question.sampling;
  return request;
}

std::vector<Answer> Answers::get(std::span<const Question> questions) {
  caf::scoped_actor self(system_);
  std::vector<Answer> answers(questions.size());
  std::map<SessionId, std::size_t> open;
  std::size_t next = 0;
  while (next < questions.size() || !open.empty()) {
    if (next < questions.size() && open.size() < at_once) {
      auto session = submit(self, run_.coordinator(), make_request(questions[next]));
      open.emplace(session, next++);
      continue;
    }
    auto report = receive_report(self, common_);
    if (report.finish == Finish::failed)
      throw RuntimeError(ErrorCode::internal, report.error);
    if (auto found = open.extract(report.session); !found.empty())
      answers[found.mapped()] = {std::move(report.tokens), report.verifications};
  }
  return answers;
}

}  // namespace flowspec
