#pragma once

#include <filesystem>

namespace flowspec {

/// A file of the pair that comes with the program. Throws RuntimeError if it is not found.
std::filesystem::path embedded_file(const char* name);

}  // namespace flowspec
