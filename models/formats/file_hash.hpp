#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "models/formats/file_identity.hpp"

namespace flowspec {

/// Called with the bytes hashed so far and their total. May throw to stop the work.
using HashProgress = std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)>;

/// The XXH3-128 hash of a file's content as 32 hex digits, as `xxh128sum` prints it. It shows
/// whether two copies of a model differ; it does not protect against forgery. Reads the whole file.
/// Throws ModelError when the file cannot be read, or is changed meanwhile.
std::string hash_file(const std::filesystem::path& path, const HashProgress& progress = {});

struct HashedFile {
  std::string hash;
  /// The identity of the file that was read, which did not change meanwhile.
  FileIdentity identity;
};

/// The same, with the file's identity.
HashedFile hash_and_identify(const std::filesystem::path& path, const HashProgress& progress = {});

/// The same hash of bytes in memory.
std::string hash_bytes(std::string_view bytes);

}  // namespace flowspec
