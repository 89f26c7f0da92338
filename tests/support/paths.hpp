// Where tests find the project's own files and programs.
#pragma once

#include <filesystem>
#include <string>

namespace flowspec::test {

/// A file or folder of the project, by its path from the project's root.
std::filesystem::path source_path(const char* path);

/// A program that the build has made.
std::string program_path(const std::string& name);

}  // namespace flowspec::test
