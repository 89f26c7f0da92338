#include "runtime/serve/answer_writer.hpp"

#include <utility>

namespace flowspec {

namespace {

openai::AnswerStream::Options stream_options(const PreparedAnswer& prepared) {
  return {prepared.asked.sampling.logprobs.has_value(), prepared.asked.include_usage,
          static_cast<std::uint32_t>(prepared.sessions.size())};
}

}  // namespace

AnswerWriter::AnswerWriter(const PreparedAnswer& prepared, const std::string& model)
    : asked_(prepared.asked),
      tokenizer_(prepared.tokenizer),
      head_(openai::new_answer(prepared.kind, model)),
      stream_(head_, stream_options(prepared)),
      choices_(prepared.sessions.size()),
      open_(prepared.sessions.size()) {
  usage_.prompt_tokens = prepared.prompt_tokens;
}

openai::ScoredToken AnswerWriter::scored(const TokenLogprob& token) const {
  openai::ScoredToken result{tokenizer_->piece(token.token), token.logprob};
  // The first is among them for the log-probability of the token itself.
  for (const auto& other : token.top)
    result.top.push_back({tokenizer_->piece(other.token), other.logprob});
  return result;
}

std::string AnswerWriter::begin(std::size_t choice) {
  if (std::exchange(choices_[choice].has_begun, true))
    return {};
  return stream_.begin(static_cast<std::uint32_t>(choice));
}

std::string AnswerWriter::more(std::size_t choice, const TextDelta& delta) {
  std::vector<openai::ScoredToken> tokens;
  if (asked_.sampling.logprobs)
    for (const auto& token : delta.tokens)
      tokens.push_back(scored(token));
  if (asked_.stream)
    return begin(choice) + stream_.more(static_cast<std::uint32_t>(choice), delta.text, tokens);
  auto& content = choices_[choice].content;
  content.text += delta.text;
  content.tokens.insert(content.tokens.end(), std::make_move_iterator(tokens.begin()),
                        std::make_move_iterator(tokens.end()));
  return {};
}

std::string AnswerWriter::finish(std::size_t choice, const Report& report) {
  auto& one = choices_[choice];
  if (std::exchange(one.has_ended, true))
    return {};
  --open_;
  // One that was ended from here has the text that there is, as if it were long enough.
  one.content.finish = report.finish == Finish::cancelled ? Finish::length : report.finish;
  one.figures = {report.tokens.size(),    report.verifications,     report.recoveries,
                 report.paused_us / 1000, report.prefill_us / 1000, report.decode_us / 1000};
  usage_.completion_tokens += report.tokens.size();
  // Of several answers to one prompt, those after the first find it.
  if (choice % asked_.n == 0)
    usage_.cached_tokens += report.cached_tokens;
  if (!asked_.stream)
    return {};
  return begin(choice) +
         stream_.finish(static_cast<std::uint32_t>(choice), one.content.finish, one.figures);
}

std::string AnswerWriter::end() const {
  if (asked_.stream)
    return stream_.end(usage_);
  std::vector<openai::Choice> contents;
  std::vector<openai::RunFigures> figures;
  for (const auto& choice : choices_) {
    contents.push_back(choice.content);
    figures.push_back(choice.figures);
  }
  return openai::whole_answer(head_, contents, asked_.sampling.logprobs.has_value(), usage_,
                              openai::joined(figures));
}

}  // namespace flowspec
