#pragma once
/// All files that are read as a whole are read here, so that every read has a limit.

#include <cstddef>
#include <filesystem>
#include <string>

namespace flowspec {

/// Most bytes of a prompt, or of a file of prompts. Far beyond what any model takes.
inline constexpr std::size_t most_text = std::size_t{64} << 20U;
/// Most bytes of a file of settings: clusters, device profiles.
inline constexpr std::size_t most_settings = std::size_t{4} << 20U;

/// The content of a file, without a byte order mark at its beginning. Pipes and devices are read
/// too, to their end or to the limit.
/// @param what  what the file is, for messages: "prompt file"
/// Throws RuntimeError, which names the file, if it is not a file, cannot be read, or has more than
/// `most` bytes.
std::string read_file(const std::filesystem::path& file, const std::string& what, std::size_t most);

/// The same for standard input.
std::string read_standard_input(const std::string& what, std::size_t most);

}  // namespace flowspec
