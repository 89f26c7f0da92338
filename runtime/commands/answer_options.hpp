#pragma once
/// Options of the commands that write text.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/sampling/filters.hpp"
#include "runtime/cluster/network_options.hpp"
#include "runtime/console/verbosity.hpp"
#include "runtime/run/run_spec.hpp"

namespace CLI {
class App;
}

namespace flowspec {

/// What `flowspec generate` and `flowspec chat` have in common.
struct AnswerOptions {
  /// `run.cluster` is filled in from the next two, once they have been read.
  RunSpec run;
  std::string cluster_file;
  std::vector<std::string> spares;
  /// See `parse_roles`.
  std::string place;
  std::vector<std::string> nodes;
  NetworkOptions network;
  std::uint32_t max_tokens = 256;
  SamplerOptions sampling;
  std::vector<std::string> stop;
  std::chrono::seconds progress_limit{60};
  bool json = false;
  Verbosity verbosity = Verbosity::normal;
};

/// Options of `flowspec generate`.
struct GenerateOptions : AnswerOptions {
  std::optional<std::string> prompt;
  std::string prompt_file;
};

/// Options of `flowspec chat`.
struct ChatOptions : AnswerOptions {
  /// The system message ahead of the conversation.
  std::string system;
  /// Name of a template; empty: the model file's.
  std::string chat_template;
};

/// All of them but those of one command.
void add_answer_options(CLI::App& app, AnswerOptions& options, const std::string& context_help);
void add_generate(CLI::App& app, GenerateOptions& options);
void add_chat(CLI::App& app, ChatOptions& options);

/// Throws RuntimeError for values that contradict each other or make no sense.
void check(const AnswerOptions& options);
void check(const GenerateOptions& options);

/// The prompt, from the source that the options name. Throws RuntimeError.
std::string read_prompt(const GenerateOptions& options);

}  // namespace flowspec
