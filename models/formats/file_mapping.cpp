#include "models/formats/file_mapping.hpp"

#include <cerrno>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/base/error.hpp"
#include "models/formats/file_descriptor.hpp"

namespace flowspec {
namespace {

[[noreturn]] void fail_with_errno(const std::filesystem::path& path, const char* action) {
  const int error = errno;
  throw ModelError(path.string() + ": cannot " + action +
                   " the file: " + std::generic_category().message(error) +
                   ". Check the path and its permissions.");
}

[[noreturn]] void fail_to_open(const std::filesystem::path& path) {
  const int error = errno;
  std::error_code none;
  const std::filesystem::path target = std::filesystem::read_symlink(path, none);
  if (error == ENOENT && !none) {
    throw ModelError(path.string() + ": is a link to " + target.string() +
                     ", which is not there. The download is not complete: get the model again.");
  }
  errno = error;
  fail_with_errno(path, "open");
}

/// Bytes of the mapping after `size`, all 0.
std::size_t rest_of_page(std::size_t size) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (page - size % page) % page;
}

}  // namespace

FileMapping::FileMapping(const std::filesystem::path& path) : path_(path) {
  // O_NONBLOCK: opening a named pipe by mistake must not hang.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    fail_to_open(path);
  const FileDescriptor descriptor(fd);
  struct stat status = {};
  if (::fstat(descriptor.get(), &status) != 0)
    fail_with_errno(path, "examine");
  if (!S_ISREG(status.st_mode))
    throw ModelError(path.string() + ": is not a regular file. Give the path of a model file.");
  identity_ = FileIdentity::of(descriptor.get());
  size_ = static_cast<std::size_t>(identity_.size);
  if (size_ == 0)
    throw ModelError(path.string() + ": is empty (0 bytes), expected a model. Get it again.");
  address_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor.get(), 0);
  if (address_ == MAP_FAILED)
    fail_with_errno(path, "map");
  guard_.guard(address_, size_);
  // With AddressSanitizer the rest of the last page is out of bounds; otherwise this does nothing.
  ASAN_POISON_MEMORY_REGION(static_cast<std::byte*>(address_) + size_, rest_of_page(size_));
}

FileMapping::~FileMapping() {
  ASAN_UNPOISON_MEMORY_REGION(static_cast<std::byte*>(address_) + size_, rest_of_page(size_));
  guard_.release();
  ::munmap(address_, size_);
}

void FileMapping::check_unchanged() const {
  fail_if_changed(path_, identity_);
  if (guard_.is_broken()) {
    throw ModelError(path_.string() +
                     ": some of it could not be read. Look at the disk, or the network that it is "
                     "on, and try again.");
  }
}

}  // namespace flowspec
