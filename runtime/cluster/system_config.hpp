#pragma once

#include <string>

#include <caf/actor_system_config.hpp>

#include "runtime/cluster/network_options.hpp"

namespace flowspec {

/// The CAF configuration of both programs. Reads no configuration file and no command line.
class SystemConfig : public caf::actor_system_config {
 public:
  SystemConfig();

  /// Loads the network modules; without them the process cannot talk to other processes. `name` is
  /// what others call this process: by default its machine. Throws RuntimeError.
  void enable_network(const NetworkOptions& network, const std::string& name = {});
};

}  // namespace flowspec
