#include "runtime/cluster/tls.hpp"

#include "actors/cluster/wire/secret.hpp"
#include "actors/cluster/wire/wire_error.hpp"
#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"

namespace flowspec {

std::shared_ptr<const TlsContext> make_tls(const NetworkOptions& network) {
  try {
    if (network.tls.enabled())
      return std::make_shared<TlsContext>(network.tls);
    return std::make_shared<TlsContext>(
        network.secret_file.empty() ? user_secret() : read_secret(network.secret_file));
  } catch (const WireError& e) {
    throw RuntimeError(one_line(e.what()));
  }
}

void check_tls(const NetworkOptions& network) {
  if (network.tls.enabled() || !network.secret_file.empty())
    make_tls(network);
}

}  // namespace flowspec
