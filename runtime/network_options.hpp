#pragma once

#include <chrono>

#include "runtime/tls.hpp"

namespace flowspec {

/// How to reach other processes.
struct NetworkOptions {
  TlsOptions tls;
  /// Nodes that are silent for `heartbeats_to_timeout` of these are lost.
  std::chrono::milliseconds heartbeat{500};
};
inline constexpr int heartbeats_to_timeout = 10;

}  // namespace flowspec
