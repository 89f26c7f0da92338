#include "runtime/hop_bench/hop_bench_options.hpp"

#include <CLI/CLI.hpp>

namespace flowspec {

namespace {

constexpr const char* footer =
    R"(A message goes to another process (here: another actor system, by way of 127.0.0.1) and comes back as
it was; a one-way time is half of that. "TCP" and "TLS" echo as many bytes between two threads with
nothing else around them, in the same run.

Exit codes: 0 done, 1 it failed, 2 wrong options.)";

}  // namespace

void add_hop_bench(CLI::App& app, HopBenchOptions& options) {
  app.add_option("--repeat", options.repeats,
                 "Trips of each size, after as many to warm up; the median counts")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--json", options.json_file, "Write all figures as JSON")->type_name("FILE");
  app.footer(footer);
}

}  // namespace flowspec
