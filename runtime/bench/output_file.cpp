#include "runtime/bench/output_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "runtime/console/error.hpp"

namespace flowspec {

namespace fs = std::filesystem;

namespace {

/// Returns an errno; 0: no error.
int write_all(const fs::path& path, std::string_view text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr)
    return errno;
  errno = 0;
  bool is_written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  int error = is_written ? 0 : errno;
  if (std::fclose(file) != 0 && error == 0)
    error = errno;
  return error;
}

}  // namespace

OutputFile::OutputFile(std::string option, const std::string& path) : option_(std::move(option)) {
  if (path.empty())
    return;
  path_ = path;
  temporary_ = path;
  std::error_code error;
  if (fs::is_directory(path_, error))
    fail(EISDIR);
  if (fs::exists(path_, error) && !fs::is_regular_file(path_, error))
    return;
  // A link stays a link; its target is replaced.
  auto target = fs::weakly_canonical(path_, error);
  if (!error)
    path_ = target;
  temporary_ = fmt::format("{}.{}.tmp", path_.string(), ::getpid());
  if (int problem = write_all(temporary_, ""))
    fail(problem);
  fs::remove(temporary_, error);
}

void OutputFile::write(std::string_view text) const {
  if (!is_wanted())
    return;
  int problem = write_all(temporary_, text);
  if (problem == 0 && temporary_ != path_ && std::rename(temporary_.c_str(), path_.c_str()) != 0)
    problem = errno;
  if (problem == 0)
    return;
  std::error_code ignored;
  if (temporary_ != path_)
    fs::remove(temporary_, ignored);
  fail(problem);
}

void OutputFile::fail(int error) const {
  throw RuntimeError(
      fmt::format("cannot write {} ({}): {}; name a file in a folder that exists "
                  "and that you may write to",
                  path_.string(), option_, std::strerror(error)));
}

}  // namespace flowspec
