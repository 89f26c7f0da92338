#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/cluster/network_options.hpp"

namespace CLI {
class App;
}

namespace flowspec {

/// Options of `flowspec up`.
struct UpOptions {
  /// As the user wrote it; `nodes` once it has been checked.
  std::string count;
  unsigned nodes = 0;
  /// Empty: the folder of the pair that comes with the program.
  std::vector<std::filesystem::path> models;
  /// The nodes' ports, one after the other; 0: any that are free.
  std::uint16_t first_port = 0;
  /// Of a stage; 0: the cores, shared out evenly.
  unsigned threads = 0;
  std::uint32_t max_stages = 8;
  /// MiB of KV per stage; 0: a quarter of the memory, shared out evenly.
  std::uint64_t kv_mib = 0;
  /// How long nodes keep weights that nobody uses.
  std::chrono::minutes keep_shards{10};
  NetworkOptions network;
  bool quiet = false;
  bool json = false;
};

/// Of the nodes that one command starts: each has a dozen threads, and a machine is soon full.
inline constexpr unsigned most_local_nodes = 32;

void add_up(CLI::App& app, UpOptions& options);

/// Throws RuntimeError for a number of nodes, or ports, that cannot be.
void check(UpOptions& options);

}  // namespace flowspec
