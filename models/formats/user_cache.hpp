#pragma once
/// Files that only save time: they may be deleted at any moment.

#include <filesystem>
#include <string_view>

namespace flowspec {

/// $XDG_CACHE_HOME/flowspec or ~/.cache/flowspec; empty if the environment names no folder.
std::filesystem::path user_cache_folder();

/// In it: models of other machines without their weights, which are holes in the files. Empty as above.
std::filesystem::path user_cards_folder();
/// Whether the path is in that folder, or is the folder.
bool is_in_cards_folder(const std::filesystem::path& path);

/// Writes a whole file, with its folder. Other processes see the old file or the new one, never a
/// part of it. If it cannot be written, the old one stays.
void replace_file(const std::filesystem::path& file, std::string_view text);

}  // namespace flowspec
