#pragma once

#include <cstddef>

namespace flowspec {

/// How many connections, up to `wanted`, this process has descriptors for, beside those that are open
/// and some for everything else. Raises the soft limit of descriptors as far as that needs and the
/// hard one allows. At least 1.
std::size_t room_for_connections(std::size_t wanted);

}  // namespace flowspec
