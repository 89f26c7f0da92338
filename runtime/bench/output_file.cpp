#include "runtime/bench/output_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "runtime/error.hpp"

namespace flowspec {

namespace fs = std::filesystem;

OutputFile::OutputFile(std::string option, const std::string& path) : option_(std::move(option)) {
  if (path.empty())
    return;
  path_ = path;
  std::error_code error;
  if (fs::is_directory(path_, error))
    fail(EISDIR);
  if (fs::exists(path_, error) && !fs::is_regular_file(path_, error))
    return;
  // A link stays one; what it points to is replaced.
  auto target = fs::weakly_canonical(path_, error);
  if (!error)
    path_ = target;
  temporary_ = fmt::format("{}.{}.tmp", path_.string(), ::getpid());
  std::FILE* file = std::fopen(temporary_.c_str(), "wb");
  if (file == nullptr)
    fail(std::exchange(errno, 0));
  std::fclose(file);
}

OutputFile::~OutputFile() {
  std::error_code ignored;
  if (!temporary_.empty())
    fs::remove(temporary_, ignored);
}

void OutputFile::write(std::string_view text) {
  if (!is_wanted())
    return;
  const fs::path& target = temporary_.empty() ? path_ : temporary_;
  std::FILE* file = std::fopen(target.c_str(), "wb");
  if (file == nullptr)
    fail(errno);
  bool is_written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  int error = errno;
  if (std::fclose(file) != 0 && is_written) {
    is_written = false;
    error = errno;
  }
  if (!is_written)
    fail(error);
  if (temporary_.empty())
    return;
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0)
    fail(errno);
  temporary_.clear();
}

void OutputFile::fail(int error) const {
  throw RuntimeError(
      fmt::format("cannot write {} ({}): {}; name a file in a folder that exists "
                  "and that you may write to",
                  path_.string(), option_, std::strerror(error)));
}

}  // namespace flowspec
