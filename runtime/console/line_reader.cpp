#include "runtime/console/line_reader.hpp"

#include <array>
#include <cerrno>
#include <system_error>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/console/error.hpp"

namespace flowspec {

Event::Event() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0)
    throw std::system_error(errno, std::generic_category(), "cannot make an event");
}

Event::~Event() {
  ::close(fd_);
}

void Event::set() const noexcept {
  ::eventfd_write(fd_, 1);
}

bool Event::is_set() const noexcept {
  pollfd source{fd_, POLLIN, 0};
  return ::poll(&source, 1, 0) == 1;
}

std::optional<std::string> LineReader::next() {
  if (interrupt_.is_set())
    return std::nullopt;
  for (;;) {
    auto end = buffer_.find('\n', searched_);
    if (end != std::string::npos)
      return take(end, 1);
    searched_ = buffer_.size();
    if (searched_ > longest_line)
      throw RuntimeError(
          fmt::format("a line of standard input is longer than {} MiB", longest_line >> 20));
    if (!read_more())
      break;
  }
  if (buffer_.empty() || interrupt_.is_set())
    return std::nullopt;
  return take(buffer_.size(), 0);
}

bool LineReader::read_more() {
  std::array<pollfd, 2> sources{{{fd_, POLLIN, 0}, {interrupt_.fd(), POLLIN, 0}}};
  for (;;) {
    if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR)
      return false;
    if (sources[1].revents != 0)
      return false;
    std::array<char, 65536> bytes{};
    auto size = ::read(fd_, bytes.data(), bytes.size());
    if (size < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (size <= 0)
      return false;
    buffer_.append(bytes.data(), static_cast<std::size_t>(size));
    return true;
  }
}

std::string LineReader::take(std::size_t size, std::size_t and_drop) {
  auto line = buffer_.substr(0, size);
  buffer_.erase(0, size + and_drop);
  searched_ = 0;
  if (line.ends_with('\r'))
    line.pop_back();
  return line;
}

}  // namespace flowspec
