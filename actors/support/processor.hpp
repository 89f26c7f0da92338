#pragma once

#include <filesystem>
#include <string>

namespace flowspec {

/// What the system calls this machine's processor: "AMD EPYC 7763 64-Core Processor", or on ARM the
/// number of the part; "unknown processor" if it does not say.
/// @param cpuinfo  as /proc/cpuinfo.
std::string processor_name(const std::filesystem::path& cpuinfo = "/proc/cpuinfo");

}  // namespace flowspec
