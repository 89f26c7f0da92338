#include "models/formats/file_identity.hpp"

#include <cerrno>
#include <system_error>

#include <sys/stat.h>

#include "models/base/error.hpp"

namespace flowspec {
namespace {

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileIdentity identity(const struct stat& status) {
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
          nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

}  // namespace

FileIdentity FileIdentity::of(int descriptor) {
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0)
    throw std::system_error(errno, std::generic_category());
  return identity(status);
}

std::optional<FileIdentity> FileIdentity::of(const std::filesystem::path& file) {
  struct stat status = {};
  if (::stat(file.c_str(), &status) != 0)
    return std::nullopt;
  return identity(status);
}

void fail_if_changed(const std::filesystem::path& file, const FileIdentity& before) {
  if (FileIdentity::of(file) != before) {
    throw ModelError(file.string() +
                     ": was changed while it was read. Try again when it is complete.");
  }
}

}  // namespace flowspec
