#include "runtime/run/embedded.hpp"

#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "runtime/console/error.hpp"

namespace flowspec {

namespace fs = std::filesystem;

fs::path embedded_file(const char* name) {
  std::vector<fs::path> folders;
  if (const char* folder = std::getenv("FLOWSPEC_MODELS"))
    folders.emplace_back(folder);
  folders.emplace_back(FLOWSPEC_EMBEDDED_DIR);
  std::error_code error;
  auto program = fs::read_symlink("/proc/self/exe", error).parent_path();
  folders.push_back(program / "models");
  folders.push_back(program.parent_path() / "share/flowspec/models");
  std::string tried;
  for (const fs::path& folder : folders) {
    if (fs::is_regular_file(folder / name, error))
      return folder / name;
    tried.append(" ").append(folder.string());
  }
  throw RuntimeError(fmt::format(
      "the file {} that comes with the program is in none of:{}. Set FLOWSPEC_MODELS to its "
      "folder, or name a file of your own with the option for it.",
      name, tried));
}

}  // namespace flowspec
