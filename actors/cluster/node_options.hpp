#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace flowspec {

/// What a node offers, and how much of it.
struct NodeOptions {
  /// For people.
  std::string name;
  /// Of the program.
  std::string version;
  /// Folders with model files.
  std::vector<std::filesystem::path> models;
  /// The most that a stage gets, whatever it asks for.
  std::uint32_t threads = 1;
  /// Stages of all peers together.
  std::uint32_t max_stages = 8;
  /// KV memory of one stage, in bytes.
  std::uint64_t kv_limit = std::uint64_t{1} << 30;
  /// Computes without oneDNN, as a CPU that it is not exact on does.
  bool own_kernels = false;
};

}  // namespace flowspec
