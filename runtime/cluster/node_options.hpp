#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "actors/cluster/node_options.hpp"
#include "runtime/cluster/network_options.hpp"
#include "runtime/console/verbosity.hpp"

namespace CLI {
class App;
}

namespace flowspec {

/// Options of `flowspec-node`.
struct NodeProgramOptions {
  std::string listen = "127.0.0.1";
  /// The value of --port; 0: any free port.
  std::optional<std::uint16_t> port;
  NodeOptions node;
  /// MiB of KV per stage; 0: derived from the machine's memory.
  std::uint64_t kv_mib = 0;
  NetworkOptions network;
  Verbosity verbosity = Verbosity::verbose;
};

/// --models: folders that can be searched.
void add_models_option(CLI::App& app, std::vector<std::filesystem::path>& folders);
/// --keep-shards; the default is the value of `keep`.
void add_keep_shards_option(CLI::App& app, std::chrono::minutes& keep);
void add_node_program(CLI::App& app, NodeProgramOptions& options);

/// Returns an exit code if only help was wanted. Throws RuntimeError for mistakes.
std::optional<int> parse_node_program(int argc, const char* const* argv,
                                      NodeProgramOptions& options);

}  // namespace flowspec
