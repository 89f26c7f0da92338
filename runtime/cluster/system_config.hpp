#pragma once

#include <caf/actor_system_config.hpp>

#include "runtime/cluster/network_options.hpp"

namespace flowspec {

/// How both programs set CAF up. Reads no configuration file and no command line.
class SystemConfig : public caf::actor_system_config {
 public:
  SystemConfig();

  /// Loads the network parts; without, the process talks to no other.
  void enable_network(const NetworkOptions& network);
};

}  // namespace flowspec
