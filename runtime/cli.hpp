#pragma once
/// Options that both programs have.

#include <string>

#include <CLI/CLI.hpp>

#include "runtime/options.hpp"

namespace flowspec {

void add_network_options(CLI::App& app, NetworkOptions& network);
void add_cluster_options(CLI::App& app, std::string& file, std::vector<std::string>& nodes);

/// --kv-type, of the commands that compute layers; its default is what `type` is.
void add_kv_type_option(CLI::App& app, KvType& type);

/// What the options of the commands of `flowspec` are written to.
struct CommandOptions {
  GenerateOptions generate;
  ChatOptions chat;
  NodesOptions nodes;
  BenchOptions bench;
  EngineBenchOptions engine_bench;
  VerifyOptions verify;
  TokenizeOptions tokenize;
};
void add_commands(CLI::App& app, CommandOptions& options);

/// Parses, strictly; 0 where help has been printed, which is all there is to do. Throws
/// RuntimeError with one line that says what is wrong.
std::optional<int> parse(CLI::App& app, int argc, const char* const* argv);

/// "flowspec 0.1.0 (protocol 1, f32/onednn-2.6.3/avx2)".
std::string version_text(const char* program);

}  // namespace flowspec
