#pragma once

#include <string>
#include <vector>

#include "runtime/cluster/network_options.hpp"

namespace flowspec {

/// Options of `flowspec nodes`.
struct NodesOptions {
  std::string cluster_file;
  std::vector<std::string> nodes;
  NetworkOptions network;
  bool json = false;
};

}  // namespace flowspec
