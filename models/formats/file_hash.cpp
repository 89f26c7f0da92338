#include "models/formats/file_hash.hpp"

#include <array>
#include <fstream>
#include <memory>
#include <system_error>
#include <vector>

#include <xxhash.h>

#include "models/error.hpp"

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

}  // namespace

std::string hash_file(const std::filesystem::path& path, const HashProgress& progress) {
  constexpr std::size_t chunk_bytes = std::size_t{4} << 20;
  const auto fail = [&path](const std::string& what) {
    throw ModelError(path.string() + ": " + what + ". Check the path and its permissions.");
  };
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    fail(error ? "cannot examine the file: " + error.message() : "is not a regular file");
  }
  const std::uint64_t total = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) {
    fail("cannot open the file");
  }
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  if (!state || XXH3_128bits_reset(state.get()) != XXH_OK) {
    throw std::bad_alloc();
  }
  std::vector<char> chunk(chunk_bytes);
  std::uint64_t done = 0;
  while (file) {
    file.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    const auto count = static_cast<std::size_t>(file.gcount());
    XXH3_128bits_update(state.get(), chunk.data(), count);
    done += count;
    if (progress && count != 0) {
      progress(done, total);
    }
  }
  if (file.bad() || done != total) {
    fail("could read only " + std::to_string(done) + " of " + std::to_string(total) + " bytes");
  }
  return as_hex(XXH3_128bits_digest(state.get()));
}

std::string hash_bytes(std::string_view bytes) {
  return as_hex(XXH3_128bits(bytes.data(), bytes.size()));
}

}  // namespace flowspec
