#include "runtime/cluster/freed_memory.hpp"

#include <malloc.h>

namespace flowspec {

void return_freed_memory() {
  // Once set, the threshold is no longer adapted.
  ::mallopt(M_MMAP_THRESHOLD, returned_block);
  ::mallopt(M_TRIM_THRESHOLD, 2 * returned_block);
}

}  // namespace flowspec
