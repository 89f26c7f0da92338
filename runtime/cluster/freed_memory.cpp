#include "runtime/cluster/freed_memory.hpp"

#include <malloc.h>

namespace flowspec {

void return_freed_memory() {
  // Said once, it is no longer adapted.
  ::mallopt(M_MMAP_THRESHOLD, returned_block);
}

}  // namespace flowspec
