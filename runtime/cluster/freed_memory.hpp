#pragma once

#include <cstddef>

namespace flowspec {

/// Blocks of at least this many bytes return to the system when they are freed.
inline constexpr std::size_t returned_block = std::size_t{2} << 20U;

/// To be called at the start. Runs come and go, and their weights with them. By default the C
/// library raises its threshold when a large block is freed, and then keeps such blocks for every
/// thread that ever existed: an idle node had hundreds of MiB.
void return_freed_memory();

}  // namespace flowspec
