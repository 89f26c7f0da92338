#pragma once

#include <cstddef>

namespace flowspec {

/// Blocks from this size on go back to the system when they are freed.
inline constexpr std::size_t returned_block = std::size_t{1} << 20U;

/// To be called at the begin. Runs come and go, and their weights with them; by default the C
/// library takes what is freed for a sign that such blocks will be wanted again, and keeps those of
/// all threads that ever were: an idle node had hundreds of MiB.
void return_freed_memory();

}  // namespace flowspec
