#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace flowspec {

/// Whether a folder has something of this name: also a link to nothing, as a broken download leaves
/// it, which must not pass for a folder without the file.
bool has_entry(const std::filesystem::path& path);

/// The content of a file. Throws ModelError when it cannot be read, is empty, no regular file, or
/// has more than `most_bytes`.
/// @param advice  what the user can do; ends the message about the size
std::string read_text_file(const std::filesystem::path& path, std::size_t most_bytes,
                           const std::string& advice);

/// Throws ModelError where `size` is more than `most_bytes`, which no sound file of this kind has.
void check_file_size(const std::filesystem::path& path, std::size_t size, std::size_t most_bytes,
                     const std::string& advice);

}  // namespace flowspec
