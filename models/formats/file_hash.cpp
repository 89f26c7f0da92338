#include "models/formats/file_hash.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "models/base/error.hpp"
#include "models/formats/file_descriptor.hpp"

namespace flowspec {
namespace {

std::string as_hex(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  constexpr std::array digits{'0', '1', '2', '3', '4', '5', '6', '7',
                              '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  std::string hex;
  for (const unsigned char byte : canonical.digest) {
    hex += digits[byte >> 4];
    hex += digits[byte & 15];
  }
  return hex;
}

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw ModelError(path.string() + ": " + what + ". Check the path and its permissions.");
}

/// Writes within one tick of the file system's clock get the same time. After this wait, a change
/// shows.
void wait_until_changes_show(const FileIdentity& identity) {
  using namespace std::chrono;
  constexpr nanoseconds tick = milliseconds(20);
  const auto age = system_clock::now().time_since_epoch() - nanoseconds(identity.changed_ns);
  if (age >= nanoseconds(0) && age < tick)
    std::this_thread::sleep_for(tick - age);
}

/// Hashes what can be read, up to `total` bytes; returns their number.
std::uint64_t hash_descriptor(int fd, XXH3_state_t& state, std::uint64_t total,
                              const HashProgress& progress) {
  constexpr std::size_t chunk_bytes = std::size_t{4} << 20;
  std::vector<char> chunk(chunk_bytes);
  std::uint64_t done = 0;
  while (done < total) {
    const auto wanted = std::min<std::uint64_t>(chunk.size(), total - done);
    const ssize_t count = ::read(fd, chunk.data(), wanted);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      break;
    XXH3_128bits_update(&state, chunk.data(), static_cast<std::size_t>(count));
    done += static_cast<std::uint64_t>(count);
    if (progress)
      progress(done, total);
  }
  return done;
}

}  // namespace

HashedFile hash_and_identify(const std::filesystem::path& path, const HashProgress& progress) {
  // O_NONBLOCK: opening a named pipe by mistake must not hang.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0)
    fail(path, "cannot open the file: " + std::generic_category().message(errno));
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
    fail(path, "is not a regular file");
  const auto identity = FileIdentity::of(file.get());
  wait_until_changes_show(identity);
  // Only advice: the kernel reads further ahead.
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  if (!state || XXH3_128bits_reset(state.get()) != XXH_OK)
    throw std::bad_alloc();
  const std::uint64_t done = hash_descriptor(file.get(), *state, identity.size, progress);
  if (FileIdentity::of(file.get()) != identity) {
    throw ModelError(path.string() +
                     ": was changed while it was read. Try again when it is complete.");
  }
  if (done != identity.size) {
    fail(path, "could read only " + std::to_string(done) + " of " + std::to_string(identity.size) +
                   " bytes");
  }
  return {as_hex(XXH3_128bits_digest(state.get())), identity};
}

std::string hash_file(const std::filesystem::path& path, const HashProgress& progress) {
  return hash_and_identify(path, progress).hash;
}

std::string hash_bytes(std::string_view bytes) {
  return as_hex(XXH3_128bits(bytes.data(), bytes.size()));
}

}  // namespace flowspec
