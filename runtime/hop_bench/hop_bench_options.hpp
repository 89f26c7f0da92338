#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace flowspec {

/// Options of `flowspec bench hop`.
struct HopBenchOptions {
  std::uint32_t repeats = 500;
  std::string json_file;
};

/// Makes `app` the command `flowspec bench hop`.
void add_hop_bench(CLI::App& app, HopBenchOptions& options);

}  // namespace flowspec
