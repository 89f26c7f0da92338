#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "messages/types.hpp"
#include "runtime/openai/answer_stream.hpp"
#include "runtime/serve/served_text.hpp"

namespace flowspec {

/// Writes the answer to one request from what its sessions send. Knows no actors and no connections.
class AnswerWriter {
 public:
  AnswerWriter(const PreparedAnswer& prepared, const std::string& model);

  bool is_stream() const { return asked_.stream; }
  /// More of a choice. Returns what is to be sent now; nothing where the answer comes as a whole.
  std::string more(std::size_t choice, const TextDelta& delta);
  /// A choice has ended, and not failed: the same.
  std::string finish(std::size_t choice, const Report& report);
  bool is_complete() const { return open_ == 0; }
  /// When all have ended: the end of the stream, or the whole body.
  std::string end() const;

 private:
  struct Choice {
    openai::Choice content;
    openai::RunFigures figures;
    bool has_begun = false;
    bool has_ended = false;
  };

  openai::ScoredToken scored(const TokenLogprob& token) const;
  std::string begin(std::size_t choice);

  openai::AnswerRequest asked_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  openai::AnswerHead head_;
  mutable openai::AnswerStream stream_;
  std::vector<Choice> choices_;
  openai::Usage usage_;
  std::size_t open_;
};

}  // namespace flowspec
