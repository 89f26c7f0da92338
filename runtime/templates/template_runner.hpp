#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "models/tokenizer/chat_template.hpp"

namespace flowspec {

class TemplateHelper;

/// A model's chat template, and what it has to know of the model.
struct ChatProgram {
  /// Jinja.
  std::string text;
  /// The special tokens that it may name: {"bos_token", "<s>"}, ...
  std::map<std::string, std::string> special;
  /// The texts of all tokens that are no text: where somebody has written one of them into a
  /// message, it stays text.
  std::vector<std::string> control_tokens;
};

/// A conversation as a chat template gets it. The JSON texts are passed on with all their fields, in
/// their order; empty: none (the template sees `none`).
struct TemplateInput {
  /// A JSON list of messages. Required.
  std::string messages = {};
  /// JSON lists.
  std::string tools = {};
  std::string documents = {};
  /// A JSON object with more variables (`chat_template_kwargs`).
  std::string extra = {};
  /// The beginning of an answer follows.
  bool add_generation_prompt = true;
  /// The text ends where the last message does, for the model to go on with it.
  bool continue_final_message = false;
  /// What `strftime_now` tells: "2026-11-06" or "2026-11-06T13:45:00". The same for all of a
  /// conversation, or else its beginning changes, and what has been computed of it is lost.
  std::string now = {};
};

struct TemplateLimits {
  /// Of one rendering.
  std::chrono::milliseconds time{1900};
  /// Of the start of a helper, which reads Python's and Jinja's files.
  std::chrono::milliseconds start_time{20000};
  std::size_t memory_bytes = std::size_t{256} << 20;
  std::size_t output_bytes = std::size_t{8} << 20;
  std::size_t request_bytes = std::size_t{32} << 20;
};

struct TemplateRunnerConfig {
  /// Empty: $FLOWSPEC_PYTHON, or else /usr/bin/python3.
  std::string python;
  /// Empty: chat_templates.py that comes with the program.
  std::filesystem::path script;
  /// Processes, each of which renders one conversation at a time.
  unsigned helpers = 1;
  TemplateLimits limits;
};

/// Runs chat templates as transformers does, in processes that can do nothing but compute. A helper
/// is started when it is first needed, and again after a template has ended it.
class TemplateRunner {
 public:
  explicit TemplateRunner(TemplateRunnerConfig config = {});
  ~TemplateRunner();
  TemplateRunner(const TemplateRunner&) = delete;
  TemplateRunner& operator=(const TemplateRunner&) = delete;

  /// Nothing if templates can be run; else what is missing, and the remedy. Starts a helper if none
  /// runs, so the first call takes some tenths of a second.
  std::optional<std::string> problem();

  /// Writes a conversation. In `literal` is everything but the control tokens that the template
  /// itself has written (see provenance.py). For any thread; waits while all helpers are busy.
  ///
  /// Throws RuntimeError: `bad_request` if the template refuses the conversation or cannot write it,
  /// `model` if the template is no program, takes too much time, memory or text, or if Python or
  /// Jinja are missing, `internal` if the helper was killed.
  ChatText render(const ChatProgram& program, const TemplateInput& input);

  /// The processes that run now and wait, for tests.
  std::vector<int> idle_helpers() const;

 private:
  class Lease;

  TemplateRunnerConfig config_;
  mutable std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<TemplateHelper>> idle_;
  unsigned busy_ = 0;
};

}  // namespace flowspec
