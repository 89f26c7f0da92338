#pragma once

#include <memory>

#include "actors/cluster/wire/tls.hpp"
#include "runtime/cluster/network_options.hpp"

namespace flowspec {

/// How this program proves who it is: by certificates if it was given some, by the user's secret
/// otherwise. Throws RuntimeError, which names the file that is wrong.
std::shared_ptr<const TlsContext> make_tls(const NetworkOptions& network);

/// Does so only if the user has named files: before anything else takes time.
void check_tls(const NetworkOptions& network);

}  // namespace flowspec
