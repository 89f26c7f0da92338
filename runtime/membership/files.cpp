#include "runtime/membership/files.hpp"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/formats/file_descriptor.hpp"
#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/membership/certificates.hpp"

namespace flowspec {

namespace fs = std::filesystem;

namespace {

RuntimeError problem(const fs::path& file, const char* what) {
  auto why = std::generic_category().message(errno);
  return RuntimeError(fmt::format("{}: cannot be {}: {}", one_line(file.string()), what, why));
}

/// Next to the file, so that it can take its place.
fs::path draft_of(const fs::path& file) {
  auto draft = file;
  draft += ".";
  for (char byte : random_bytes(4))
    draft += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return draft;
}

void write_new(const fs::path& file, const std::string& text) {
  FileDescriptor made(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (made.get() < 0)
    throw problem(file, "made");
  for (std::size_t done = 0; done < text.size();) {
    auto count = ::write(made.get(), text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      throw problem(file, "written");
    done += static_cast<std::size_t>(count);
  }
  if (::fsync(made.get()) != 0)
    throw problem(file, "written");
}

}  // namespace

void write_private(const fs::path& file, const std::string& text) {
  auto draft = draft_of(file);
  try {
    write_new(draft, text);
    if (::rename(draft.c_str(), file.c_str()) != 0)
      throw problem(file, "replaced");
  } catch (const RuntimeError&) {
    ::unlink(draft.c_str());
    throw;
  }
}

bool make_private_folder(const fs::path& folder, const std::map<std::string, std::string>& files) {
  std::error_code ignored;
  fs::create_directories(folder.parent_path(), ignored);  // mkdir says what is wrong
  auto draft = draft_of(folder);
  if (::mkdir(draft.c_str(), S_IRWXU) != 0)
    throw problem(folder, "made");
  try {
    for (const auto& [name, text] : files)
      write_new(draft / name, text);
    if (::rename(draft.c_str(), folder.c_str()) == 0)
      return true;
    if (errno != ENOTEMPTY && errno != EEXIST)
      throw problem(folder, "made");
  } catch (const RuntimeError&) {
    fs::remove_all(draft, ignored);
    throw;
  }
  fs::remove_all(draft, ignored);
  return false;
}

FolderLock::FolderLock(const fs::path& folder) {
  auto file = folder / "lock";
  lock_ = std::make_unique<FileDescriptor>(
      ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (lock_->get() < 0)
    throw problem(file, "opened");
  constexpr int attempts = 100;
  for (int i = 0; ::flock(lock_->get(), LOCK_EX | LOCK_NB) != 0; ++i) {
    if (i == attempts)
      throw problem(file, "locked, since another program has it");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

FolderLock::~FolderLock() = default;

}  // namespace flowspec
