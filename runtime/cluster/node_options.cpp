#include "runtime/cluster/node_options.hpp"

#include <cerrno>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include "actors/support/machine.hpp"
#include "runtime/cluster/address.hpp"
#include "runtime/cluster/network_options.hpp"
#include "runtime/console/cli.hpp"
#include "runtime/console/one_line.hpp"

namespace flowspec {

namespace {

/// A folder that cannot be searched would look like one without models.
std::string find_unreadable(const std::string& folder) {
  return ::access(folder.c_str(), R_OK | X_OK) == 0
             ? ""
             : fmt::format("cannot be read: {}: {}", folder,
                           std::generic_category().message(errno));
}

}  // namespace

void add_models_option(CLI::App& app, std::vector<std::filesystem::path>& folders) {
  app.add_option("--models", folders, "Folders with model files, searched in depth")
      ->check(CLI::ExistingDirectory)
      ->check(find_unreadable);
}

void add_keep_shards_option(CLI::App& app, std::chrono::minutes& keep) {
  app.add_option_function<std::uint32_t>(
         "--keep-shards", [&keep](std::uint32_t minutes) { keep = std::chrono::minutes(minutes); },
         fmt::format("Minutes for which weights stay in memory after their last use, unless a "
                     "stage or text needs it; 0: not at all (default {})",
                     keep.count()))
      ->check(CLI::Range(0, 100000));
}

void add_node_program(CLI::App& app, NodeProgramOptions& options) {
  app.set_version_flag("--version", [] { return version_text("flowspec-node"); });
  auto* listen = app.add_option("--listen", options.listen,
                                fmt::format("Address to listen on, host:port (default "
                                            "127.0.0.1:{}); other machines need TLS",
                                            default_port));
  app.add_option("--port", options.port, "Port on 127.0.0.1; 0 takes any that is free")
      ->excludes(listen);
  add_models_option(app, options.node.models);
  app.add_option("--name", options.node.name, "Name for messages (default: the machine's)");
  app.add_option("--threads", options.node.threads,
                 "Threads that compute, for all stages together (default: the cores)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--max-stages", options.node.max_stages, "Stages of all users together (8)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--kv-memory", options.kv_mib,
                 "MiB of KV that the sessions of one stage may take (default: a quarter of the "
                 "memory, divided by --max-stages)")
      ->check(CLI::Range(1, 1 << 24));
  add_keep_shards_option(app, options.node.keep_shards);
  app.add_flag_callback(
      "-q,--quiet", [&options] { options.verbosity = Verbosity::normal; }, "Log warnings only");
  // Hidden: for tests of clusters whose machines differ.
  app.add_flag("--own-kernels", options.node.own_kernels,
               "Multiply by F32 weights without oneDNN, as on CPUs without AVX-512")
      ->group("");
  add_network_options(app, options.network);
}

std::optional<int> parse_node_program(int argc, const char* const* argv,
                                      NodeProgramOptions& options) {
  CLI::App app("Offers this machine to the pipelines of flowspec.", "flowspec-node");
  add_node_program(app, options);
  options.node.threads = usable_cores();
  if (auto code = parse(app, argc, argv))
    return code;
  options.node.name = one_line(options.node.name.empty() ? machine_name() : options.node.name);
  options.node.version = FLOWSPEC_VERSION;
  options.node.kv_limit = options.kv_mib != 0
                              ? options.kv_mib << 20U
                              : machine_memory().total / 4 / options.node.max_stages;
  return std::nullopt;
}

}  // namespace flowspec
