#include "actors/cluster/agreement.hpp"

#include <fmt/format.h>

#include "actors/cluster/node.hpp"
#include "models/base/error.hpp"
#include "models/numerics.hpp"

namespace flowspec {

LinearForm check_agreement(const Node& node, std::uint32_t protocol, const std::string& numerics,
                           HiddenType hidden_type) {
  if (protocol != protocol_version)
    throw ModelError(fmt::format("speaks protocol version {}, the coordinator speaks {}",
                                 protocol_version, protocol));
  auto own = with_hidden_type(node.numerics(), hidden_type);
  auto form = form_of_numerics(numerics, own);
  if (!form)
    throw ModelError(
        fmt::format("computes with numerics {}, the coordinator with {}: the text would depend on "
                    "where the layers lie",
                    own, numerics));
  return *form;
}

}  // namespace flowspec
