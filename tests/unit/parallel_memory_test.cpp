// No memory is asked for inside a parallel region: an exception that leaves one ends the process.
#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/plain_logits.hpp"
#include "tests/support/temp_folder.hpp"

// From omp.h, which clang-tidy cannot read where it is GCC's.
extern "C" int omp_in_parallel() noexcept;

using namespace flowspec;
using namespace flowspec::test;

namespace {

std::atomic<int> allocations_in_parallel = 0;

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  if (omp_in_parallel() != 0)
    ++allocations_in_parallel;
  if (void* memory = std::malloc(size == 0 ? 1 : size))
    return memory;
  throw std::bad_alloc();
}

[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}

[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}

namespace {

BOOST_AUTO_TEST_CASE(parallel_regions_ask_for_no_memory) {
  const TempFolder folder;
  for (const TensorType type : {TensorType::f32, TensorType::bf16, TensorType::q8_0}) {
    write_llama_gguf(folder / "model.gguf", {}, {type, type, type}, 5);
    const GgufFile file = GgufFile::open(folder / "model.gguf");
    const ModelConfig config = read_config(file);
    allocations_in_parallel = 0;
    for (const KvType kv_type : {KvType::f32, KvType::f16}) {
      plain_logits(file, config, std::vector<Token>(200, 1),
                   {.layers = {}, .threads = 2, .kv_type = kv_type, .form = LinearForm::packed});
    }
    BOOST_TEST(allocations_in_parallel == 0, type_name(type));
  }
}

}  // namespace
