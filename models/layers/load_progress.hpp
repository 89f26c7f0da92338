#pragma once

#include <cstdint>
#include <functional>

namespace flowspec {

/// Called with the bytes of weights loaded so far and their total. May throw to stop the loading.
using LoadProgress = std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)>;

}  // namespace flowspec
