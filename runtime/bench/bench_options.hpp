#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/base/types.hpp"
#include "models/numerics.hpp"
#include "runtime/cluster/network_options.hpp"

namespace CLI {
class App;
}

namespace flowspec {

/// Options of `flowspec bench`. Every combination of the lists is a cell; an empty list means the
/// default, see plan_bench().
struct BenchOptions {
  /// Names a set of cells instead of the lists; empty: none.
  std::string suite;
  std::vector<std::string> modes;
  std::vector<std::string> profiles;
  std::vector<float> temperatures;
  std::vector<double> link_mbps;
  std::vector<std::string> drafts;
  /// Names of load types.
  std::vector<std::string> draft_types;
  /// Files, or "all".
  std::vector<std::string> draft_vocabularies;
  std::vector<std::string> ablations;
  /// "on", "off" or both.
  std::vector<std::string> coupled;
  /// Empty: the pair that comes with the program.
  std::string model;

  std::optional<std::uint32_t> stages;
  /// Empty: the held-out prompts of the embedded pair.
  std::string prompts_file;
  std::optional<std::uint32_t> prompt_count;
  /// Prompts that are left out before the first.
  std::uint32_t skipped_prompts = 0;
  std::optional<std::uint32_t> max_tokens;
  std::uint64_t seed = 0;
  bool controller = true;
  /// Adds rows that are computed from the profile, see tensor_parallel.hpp.
  bool modelled = false;
  KvType kv_type = KvType::f16;
  /// As parse_fault() takes them.
  std::vector<std::string> faults;
  /// As in LoadPlan.
  std::vector<std::uint32_t> requests;
  std::optional<double> arrival;
  std::optional<std::uint32_t> long_prompt;
  /// None: as the profile says, else float32.
  std::vector<std::string> hidden_types;
  NumericsChoice numerics = NumericsChoice::automatic;

  bool is_virtual = false;
  std::string cluster_file;
  std::vector<std::string> nodes;
  NetworkOptions network;
  /// Cells that run at the same time; none: as many as there are cores.
  std::optional<unsigned> jobs;

  /// Files to write; empty: not written.
  std::string json_file;
  std::string csv_file;
  std::string trace_file;
  std::string plot_file;
  /// Seconds of the run; none: chosen by timeline_window().
  std::optional<double> plot_from;
  std::optional<double> plot_window;
  bool quiet = false;
  bool verbose = false;
};

/// Makes `app` the command `flowspec bench`.
void add_bench(CLI::App& app, BenchOptions& options);
/// Throws RuntimeError for options that contradict each other or have impossible values.
void check(const BenchOptions& options);
/// Whether one of the lists is given.
bool names_cells(const BenchOptions& options);

}  // namespace flowspec
