#include "tests/support/process.hpp"

#include <array>
#include <stdexcept>

#include <fcntl.h>
#include <unistd.h>

namespace flowspec::test {

namespace {

struct Pipe {
  std::array<int, 2> ends{};
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      throw std::runtime_error("no pipe");
  }
};

}  // namespace

Process::Process(const std::vector<std::string>& arguments, const std::string& input) {
  Pipe in;
  Pipe out;
  Pipe err;
  const Program program(arguments);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(in.ends[0], STDIN_FILENO);
    ::dup2(out.ends[1], STDOUT_FILENO);
    ::dup2(err.ends[1], STDERR_FILENO);
    ::_exit(program.execute());
  }
  child_.started(pid);
  for (int fd : {in.ends[0], out.ends[1], err.ends[1]})
    ::close(fd);
  // Small enough for the pipe, so that this does not block.
  [[maybe_unused]] auto written = ::write(in.ends[1], input.data(), input.size());
  ::close(in.ends[1]);
  output_.fd = out.ends[0];
  error_.fd = err.ends[0];
  output_.reader = std::thread([this] { read(output_); });
  error_.reader = std::thread([this] { read(error_); });
}

Process::~Process() {
  child_.end();
  for (Stream* stream : {&output_, &error_}) {
    if (stream->reader.joinable())
      stream->reader.join();
    ::close(stream->fd);
  }
}

std::optional<int> Process::wait(std::chrono::milliseconds limit) {
  auto exit_code = child_.wait(limit);
  if (!exit_code)
    return std::nullopt;
  for (Stream* stream : {&output_, &error_})
    if (stream->reader.joinable())
      stream->reader.join();
  return exit_code;
}

void Process::read(Stream& stream) {
  std::array<char, 4096> buffer{};
  for (;;) {
    auto size = ::read(stream.fd, buffer.data(), buffer.size());
    if (size <= 0)
      return;
    std::lock_guard lock(mutex_);
    stream.text.append(buffer.data(), static_cast<std::size_t>(size));
    const Stream& other = &stream == &output_ ? error_ : output_;
    stream.growth.push_back({Clock::now(), stream.text.size(), other.text.size()});
    grown_.notify_all();
  }
}

bool Process::wait_for(const Stream& stream, const std::string& text,
                       std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return grown_.wait_for(lock, limit, [&] { return stream.text.find(text) != std::string::npos; });
}

bool Process::wait_for_output(const std::string& text, std::chrono::milliseconds limit) {
  return wait_for(output_, text, limit);
}

bool Process::wait_for_error(const std::string& text, std::chrono::milliseconds limit) {
  return wait_for(error_, text, limit);
}

std::string Process::output() {
  std::lock_guard lock(mutex_);
  return output_.text;
}

std::string Process::error() {
  std::lock_guard lock(mutex_);
  return error_.text;
}

std::optional<Process::Clock::time_point> Process::output_after(std::size_t size) {
  std::lock_guard lock(mutex_);
  for (const Growth& growth : output_.growth)
    if (growth.size > size)
      return growth.when;
  return std::nullopt;
}

std::optional<Process::Moment> Process::error_has(const std::string& text) {
  std::lock_guard lock(mutex_);
  auto found = error_.text.find(text);
  for (const Growth& growth : error_.growth)
    if (found != std::string::npos && growth.size >= found + text.size())
      return Moment{growth.when, growth.other};
  return std::nullopt;
}

}  // namespace flowspec::test
