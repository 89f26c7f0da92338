#include "actors/support/processor.hpp"

#include <fstream>

namespace flowspec {

std::string processor_name(const std::filesystem::path& cpuinfo) {
  std::ifstream in(cpuinfo);
  for (std::string line; std::getline(in, line);) {
    // x86 names the model, ARM implementer and part only.
    auto colon = line.find(": ");
    if (colon != std::string::npos &&
        (line.starts_with("model name") || line.starts_with("CPU part")))
      return line.substr(colon + 2);
  }
  return "unknown processor";
}

}  // namespace flowspec
