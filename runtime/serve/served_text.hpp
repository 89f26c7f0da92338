#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/pipeline/request.hpp"
#include "models/sampling/filters.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "runtime/openai/answers.hpp"
#include "runtime/openai/requests.hpp"
#include "runtime/templates/chat_writer.hpp"

namespace flowspec {

/// What holds for requests that do not say otherwise.
struct TextSettings {
  /// The name by which clients know the model.
  std::string model;
  /// Seconds since 1970.
  std::int64_t created = 0;
  /// Tokens of prompt and answer together.
  std::uint32_t context = 0;
  /// Of an answer; 0: as many as there is room for.
  std::uint32_t max_tokens = 0;
  /// Seed 0: another one for each request.
  SamplerOptions sampling;
  std::vector<std::string> stop;
  std::chrono::milliseconds progress_limit{60'000};
};

/// A request that is ready for the pipeline.
struct PreparedAnswer {
  openai::AnswerKind kind = openai::AnswerKind::chat;
  openai::AnswerRequest asked;
  /// By choice; their clients are still missing.
  std::vector<Request> sessions;
  /// Of all prompts, each counted once.
  std::uint64_t prompt_tokens = 0;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::chrono::steady_clock::time_point received = std::chrono::steady_clock::now();
};

/// Turns bodies of requests into tokens, and back. For any thread; may take seconds (templates). All
/// functions throw openai::ApiError.
class ServedText {
 public:
  ServedText(Tokenizer tokenizer, ChatWriter writer, TextSettings settings);

  PreparedAnswer chat(std::string_view body) const;
  PreparedAnswer completion(std::string_view body) const;
  /// Bodies of answers.
  std::string tokenize(std::string_view body) const;
  std::string detokenize(std::string_view body) const;
  std::string apply_template(std::string_view body) const;

  const TextSettings& settings() const { return settings_; }

 private:
  ChatText write(const openai::Conversation& conversation) const;
  void check_size(std::size_t bytes, const char* field) const;
  void add_sessions(PreparedAnswer& prepared, std::vector<Token> prompt, const char* field) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  ChatWriter writer_;
  TextSettings settings_;
  openai::RequestLimits limits_;
};

}  // namespace flowspec
