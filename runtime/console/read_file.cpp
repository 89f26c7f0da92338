#include "runtime/console/read_file.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"

namespace flowspec {

namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

/// An open file, to be read to its end.
class Input {
 public:
  /// @param name  the file with what it is, for messages
  Input(int fd, std::string name, std::size_t most)
      : fd_(fd), name_(std::move(name)), most_(most) {}

  std::string read() const {
    check_kind();
    std::string text;
    char part[1 << 16];
    for (;;) {
      auto count = ::read(fd_, part, sizeof part);
      if (count < 0 && errno == EINTR)
        continue;
      if (count < 0)
        fail(errno);
      if (count == 0)
        break;
      text.append(part, static_cast<std::size_t>(count));
      if (text.size() > most_)
        fail_size();
    }
    if (text.starts_with(byte_order_mark))
      text.erase(0, byte_order_mark.size());
    return text;
  }

  [[noreturn]] void fail(int error) const {
    throw RuntimeError(
        fmt::format("cannot read {}: {}", name_, std::generic_category().message(error)));
  }

 private:
  void check_kind() const {
    struct stat status {};
    if (::fstat(fd_, &status) != 0)
      fail(errno);
    if (S_ISDIR(status.st_mode))
      throw RuntimeError(fmt::format("cannot read {}: it is a folder", name_));
    if (S_ISREG(status.st_mode) && status.st_size > 0 &&
        static_cast<std::size_t>(status.st_size) > most_)
      fail_size();
  }

  [[noreturn]] void fail_size() const {
    throw RuntimeError(
        fmt::format("{} has more than {} MiB, which is the limit", name_, most_ >> 20U));
  }

  int fd_;
  std::string name_;
  std::size_t most_;
};

}  // namespace

std::string read_file(const std::filesystem::path& file, const std::string& what,
                      std::size_t most) {
  int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  Input input(fd, fmt::format("the {} {}", what, one_line(file.string())), most);
  if (fd < 0)
    input.fail(errno);
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } closer{fd};
  return input.read();
}

std::string read_standard_input(const std::string& what, std::size_t most) {
  return Input(STDIN_FILENO, fmt::format("the {} (standard input)", what), most).read();
}

}  // namespace flowspec
