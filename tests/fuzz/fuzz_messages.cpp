/// Messages from other machines. The first byte of an input says which type the rest is read as.

#include <cstring>

#include "tests/fuzz/fuzzing.hpp"
#include "tests/support/message_samples.hpp"

using namespace flowspec;
using namespace flowspec::tests;

namespace {

/// What is accepted can be passed on, and means the same there.
template <class T>
void use(const caf::expected<T>& content) {
  if (!content)
    return;
  const Wire<T> sent(*content);
  const auto received = sent.read();
  fuzz::expect(static_cast<bool>(received), "what was accepted once is accepted again");
  fuzz::expect(std::ranges::equal(Wire<T>(*received).words(), sent.words()),
               "what is passed on stays the same");
}

template <class T>
void read(std::span<const std::uint8_t> bytes) {
  const std::size_t words = bytes.size() / sizeof(std::uint64_t);
  auto copy = std::make_shared<std::uint64_t[]>(words);
  if (words != 0)
    std::memcpy(copy.get(), bytes.data(), words * sizeof(std::uint64_t));
  use(Wire<T>(WireBuffer{copy, words}).read());
  use(receive<T>({bytes.begin(), bytes.end()}));
}

template <class... T>
auto readers_of(std::tuple<T...>*) {
  return std::array{&read<T>...};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto readers = readers_of(static_cast<AllMessages*>(nullptr));
  if (size != 0)
    readers[data[0] % readers.size()]({data + 1, size - 1});
  return 0;
}
