#pragma once
/// Files that nobody else may read, and that are never half written.

#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace flowspec {

class FileDescriptor;

/// Replaces a file, with mode 0600: others see the old content or the new one. Throws RuntimeError,
/// which names the file.
void write_private(const std::filesystem::path& file, const std::string& text);

/// Makes a folder, with mode 0700, and all its files at once. False if it is there already with
/// something in it. Throws RuntimeError, which names what cannot be made.
bool make_private_folder(const std::filesystem::path& folder,
                         const std::map<std::string, std::string>& files);

/// As long as the object lives, no other program has one for the same folder. Throws RuntimeError if
/// one has it for longer than a few seconds.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();

 private:
  std::unique_ptr<FileDescriptor> lock_;
};

}  // namespace flowspec
