#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace flowspec {

/// Whether there is an entry at this path, including a dangling link: a broken download leaves such
/// links, and they must not pass for a missing file.
bool has_entry(const std::filesystem::path& path);

/// The content of a file. Throws ModelError when it cannot be read, is empty, is no regular file,
/// or has more than `most_bytes`.
/// @param advice  what the user can do; ends the message about the size
std::string read_text_file(const std::filesystem::path& path, std::size_t most_bytes,
                           const std::string& advice);

/// Throws ModelError if `size` is more than `most_bytes`, which no valid file of this kind has.
void check_file_size(const std::filesystem::path& path, std::size_t size, std::size_t most_bytes,
                     const std::string& advice);

}  // namespace flowspec
