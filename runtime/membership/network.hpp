#pragma once

#include <vector>

#include "runtime/cluster/address.hpp"
#include "runtime/cluster/network_options.hpp"

namespace flowspec {

/// The options, with the files of this user's membership where the user has named no others, one of
/// the addresses is of another machine (or --member is given), and there is a membership. Warns where
/// the certificate lapses soon. Throws RuntimeError if it has lapsed, and where --member is given by
/// who is no member.
NetworkOptions network_for(NetworkOptions network, const std::vector<Address>& addresses);

}  // namespace flowspec
