#include "runtime/commands/up_options.hpp"

#include <charconv>
#include <limits>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "runtime/cluster/node_options.hpp"
#include "runtime/console/cli.hpp"
#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"

namespace flowspec {

void add_up(CLI::App& app, UpOptions& options) {
  app.footer(
      "The nodes end with this command, however it ends: by Ctrl-C (exit code 0), with its "
      "terminal, or with the program that started it (under nohup it goes on).");
  app.add_option("N", options.count, fmt::format("How many nodes, 1 to {}", most_local_nodes))
      ->required();
  add_models_option(app, options.models);
  app.add_option("--first-port", options.first_port,
                 "Port on 127.0.0.1 of the first node, the others follow (default: any free ones)")
      ->check(CLI::Range(1, 65535));
  app.add_option("--threads", options.threads,
                 "Threads of a node (default: the cores, shared out evenly)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--max-stages", options.max_stages, "Stages of one node (8)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--kv-memory", options.kv_mib,
                 "MiB of KV that the sessions of one stage may take (default: a quarter of the "
                 "memory, shared out evenly)")
      ->check(CLI::Range(1, 1 << 24));
  add_keep_shards_option(app, options.keep_shards);
  app.add_flag("-q,--quiet", options.quiet, "Nodes log warnings only");
  app.add_flag("--json", options.json,
               "Print one line with a JSON object once all nodes listen, instead of a text");
  add_network_options(app, options.network);
}

void check(UpOptions& options) {
  const std::string& text = options.count;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, options.nodes);
  if (error != std::errc{} || stop != end || options.nodes < 1 || options.nodes > most_local_nodes)
    throw RuntimeError(fmt::format(
        "'{}' is no number of nodes that one machine can try out: give one from 1 to {}",
        one_line(text), most_local_nodes));
  const unsigned last_port = options.first_port + options.nodes - 1;
  if (options.first_port != 0 && last_port > std::numeric_limits<std::uint16_t>::max())
    throw RuntimeError(
        fmt::format("--first-port: {} nodes from port {} on need port {}, and there "
                    "is none above 65535",
                    options.nodes, options.first_port, last_port));
}

}  // namespace flowspec
