#pragma once
/// The two programs, as the system tests run them.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/paths.hpp"
#include "tests/support/process.hpp"

namespace flowspec::test {

using Arguments = std::vector<std::string>;

/// Longer than any run of these tests takes: whoever needs it hangs.
inline constexpr std::chrono::seconds patience{40};

Arguments operator+(Arguments a, const Arguments& b);

/// A flowspec-node on a free port of this machine.
class NodeProcess {
 public:
  /// Waits until it listens. Throws where it does not.
  NodeProcess(const std::string& name, const std::filesystem::path& models,
              const Arguments& more = {});

  /// "127.0.0.1:port".
  const std::string& address() const { return address_; }
  int port() const;
  Process& process() { return process_; }

 private:
  Process process_;
  std::string address_;
};

/// "--node", address, ... for all of them.
Arguments node_arguments(const std::vector<std::unique_ptr<NodeProcess>>& nodes);

struct Result {
  int exit_code = -1;
  std::string output;
  std::string error;

  /// The output as JSON; fails the test where it is none.
  nlohmann::json json() const;
  bool complains(const std::string& text) const { return error.find(text) != std::string::npos; }
};

/// Runs `flowspec` to its end; fails the test where it has none.
Result flowspec_program(const Arguments& arguments, const std::string& input = {});

/// The numbers that a node says about itself; asks again until `key` is `value`.
bool node_reaches(const NodeProcess& node, const std::string& key, std::uint64_t value);

/// MiB of memory that the node has.
std::size_t resident_mib(NodeProcess& node);

/// How often tests that look for rare faults do so: FLOWSPEC_SOAK, usually 1.
int soak();

}  // namespace flowspec::test
