#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace flowspec {

/// What a node offers, and how much of it.
struct NodeOptions {
  /// Shown to people.
  std::string name;
  /// Version of the program.
  std::string version;
  /// Folders with model files.
  std::vector<std::filesystem::path> models;
  /// Threads of the process that compute at the same time, and so most of a stage, whatever it asks for.
  std::uint32_t threads = 1;
  /// Most stages, of all peers together.
  std::uint32_t max_stages = 8;
  /// Most KV memory of one stage, in bytes.
  std::uint64_t kv_limit = std::uint64_t{1} << 30;
  /// How long weights stay in memory after their last use; 0: not at all.
  std::chrono::minutes keep_shards{10};
  /// Computes without oneDNN, as on a CPU where oneDNN is not exact.
  bool own_kernels = false;
};

}  // namespace flowspec
