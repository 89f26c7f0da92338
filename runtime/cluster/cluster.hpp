#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/cluster/address.hpp"
#include "runtime/cluster/roles.hpp"

namespace flowspec {

/// The nodes of a cluster, in pipeline order.
struct Cluster {
  std::vector<Address> nodes;
  /// Layers of each node's stage; empty: the program decides.
  std::vector<std::uint32_t> layers;
  /// Nodes that take over the layers of one that is lost.
  std::vector<Address> spares;
  /// Where the parts of the pipeline that are no stages run.
  Roles roles;
};

/// Reads a cluster file: JSON with comments; see config/. Throws RuntimeError, which names the file
/// and the error in it.
Cluster read_cluster(const std::filesystem::path& file);
/// The same from a text; `name` is for messages.
Cluster parse_cluster(const std::string& text, const std::string& name);
/// The nodes that the options name, in a file or one by one; none: everything runs in this process.
Cluster named_cluster(const std::string& file, const std::vector<std::string>& nodes,
                      const std::vector<std::string>& spares = {}, const std::string& place = {});

}  // namespace flowspec
