/// What runs have freed is not kept.

#include "runtime/cluster/freed_memory.hpp"

#include <cstring>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <malloc.h>

using namespace flowspec;

namespace {

/// Bytes that come from the system as blocks of their own while there is one of `size`.
std::size_t bytes_of_own(std::size_t size) {
  auto before = ::mallinfo2().hblkhd;
  std::vector<char> block(size, 1);
  return ::mallinfo2().hblkhd - before;
}

/// Sanitizers have an allocator of their own.
bool is_c_library_used(boost::unit_test::test_unit_id /*id*/) {
  return bytes_of_own(std::size_t{64} << 20U) > 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(freed_memory)

BOOST_AUTO_TEST_CASE(large_blocks_go_back_every_time,
                     *boost::unit_test::precondition(is_c_library_used)) {
  return_freed_memory();
  for (int i = 0; i < 3; ++i)
    std::thread([] {
      for (std::size_t size : {std::size_t{16} << 20U, std::size_t{8} << 20U, returned_block})
        BOOST_TEST(bytes_of_own(size) >= size);
    }).join();
}

BOOST_AUTO_TEST_SUITE_END()
