#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "models/formats/file_identity.hpp"

namespace flowspec {

/// Told how many bytes have been hashed and how many there are. May throw to stop the work.
using HashProgress = std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)>;

/// The XXH3-128 hash of a file's content as 32 hex digits, as `xxh128sum` prints it. It tells
/// copies of a model apart; it is no protection against somebody who forges one. Reads the whole
/// file. Throws ModelError when the file cannot be read, or is written to meanwhile.
std::string hash_file(const std::filesystem::path& path, const HashProgress& progress = {});

struct HashedFile {
  std::string hash;
  /// Of the very file that was read, in which nothing was changed meanwhile.
  FileIdentity identity;
};

/// The same, and which file it was.
HashedFile hash_and_identify(const std::filesystem::path& path, const HashProgress& progress = {});

/// The same hash of bytes in memory.
std::string hash_bytes(std::string_view bytes);

}  // namespace flowspec
