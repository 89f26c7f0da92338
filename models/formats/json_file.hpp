#pragma once
/// Reads untrusted JSON files. Internal to models/: the header drags the JSON library in.

#include <cstddef>
#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

namespace flowspec {

/// Reads a file whose content is one JSON object. Throws ModelError when it cannot be read, has
/// more than `most_bytes`, is nested deeper than any such file should be, or is not valid JSON.
/// @param advice  what the user can do; ends the messages.
nlohmann::json read_json_object(const std::filesystem::path& path, std::size_t most_bytes,
                                const std::string& advice);

}  // namespace flowspec
