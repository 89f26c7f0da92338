#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/sampler.hpp"
#include "models/types.hpp"
#include "runtime/bench/bench_options.hpp"
#include "runtime/cluster.hpp"
#include "runtime/engine_bench/engine_bench_options.hpp"
#include "runtime/network_options.hpp"
#include "runtime/tokenize.hpp"
#include "runtime/verify/verify_options.hpp"

namespace flowspec {

enum class Verbosity { quiet, normal, verbose };

/// Options of `flowspec generate`.
struct GenerateOptions {
  std::optional<std::string> prompt;
  std::string prompt_file;
  /// Empty: the pair that comes with the program.
  std::string model;
  /// A file, "lookup", "self" or "none"; empty: the pair's draft, or "lookup".
  std::string draft;
  std::string mode = "flowspec";
  std::optional<std::uint32_t> stages;
  std::vector<std::uint32_t> split;
  std::string cluster_file;
  std::vector<std::string> nodes;
  NetworkOptions network;
  std::uint32_t max_tokens = 256;
  /// Speculation adapts to what it brings, in the modes that can.
  bool controller = true;
  /// 0: as the model file says.
  std::uint32_t context = 0;
  /// Keys and values of every stage.
  KvType kv_type = KvType::f16;
  SamplerOptions sampling;
  std::vector<std::string> stop;
  /// Of every stage; 0: the program decides.
  unsigned threads = 0;
  std::chrono::seconds progress_limit{60};
  std::chrono::seconds load_limit{600};
  bool json = false;
  Verbosity verbosity = Verbosity::normal;
};

/// Options of `flowspec chat`.
struct ChatOptions : GenerateOptions {
  /// What the model is told ahead of the conversation.
  std::string system;
  /// Name of a template; empty: the model file's.
  std::string chat_template;
};

/// Options of `flowspec nodes`.
struct NodesOptions {
  std::string cluster_file;
  std::vector<std::string> nodes;
  NetworkOptions network;
  bool json = false;
};

/// What the command line asks for: one of the commands, or only an exit code because all has been
/// said (--help).
struct CommandLine {
  std::optional<GenerateOptions> generate;
  std::optional<ChatOptions> chat;
  std::optional<NodesOptions> nodes;
  std::optional<BenchOptions> bench;
  std::optional<EngineBenchOptions> engine_bench;
  std::optional<VerifyOptions> verify;
  std::optional<TokenizeOptions> tokenize;
  int exit_code = 0;
};

/// Prints help itself. Throws RuntimeError for mistakes, and for options that contradict each
/// other.
CommandLine parse_command_line(int argc, const char* const* argv);

/// The nodes that the options name, by file or one by one; none: everything runs in this process.
Cluster named_cluster(const std::string& file, const std::vector<std::string>& nodes);

/// The prompt, from wherever it is to come. Throws RuntimeError.
std::string read_prompt(const GenerateOptions& options);

}  // namespace flowspec
