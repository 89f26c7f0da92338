#pragma once
/// Internal to runtime/templates.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace flowspec {

/// Why a helper gives no answer.
struct HelperLost {
  enum class Why {
    not_started,  ///< There is no such program, or the system has no room for it.
    too_slow,
    ended,
    too_much,  ///< Its answer is longer than it may be.
  };
  Why why = Why::ended;
  /// For people: "No such file or directory", "ended by signal 9 (Killed)".
  std::string how;
};

/// A child process that answers requests over a socket, one at a time: texts with their sizes before
/// them (four bytes, the most significant first). It gets no environment and no descriptors of this
/// process, and a process group of its own, so that Ctrl-C is not for it.
class TemplateHelper {
 public:
  /// Starts the program, the path of which is the first argument. Throws HelperLost.
  explicit TemplateHelper(std::vector<std::string> arguments);
  /// Kills it.
  ~TemplateHelper();
  TemplateHelper(const TemplateHelper&) = delete;
  TemplateHelper& operator=(const TemplateHelper&) = delete;

  void send(std::string_view request, std::chrono::steady_clock::time_point deadline);
  /// The next answer, of `most_bytes` at most. Throws HelperLost, as `send` does; the helper is of no
  /// use then.
  std::string receive(std::chrono::steady_clock::time_point deadline, std::size_t most_bytes);

  /// False once it has ended, or has said something that nobody has asked for.
  bool is_waiting() const;
  pid_t id() const { return id_; }

 private:
  enum class Direction { in, out };
  void wait(Direction direction, std::chrono::steady_clock::time_point deadline);
  void receive(char* data, std::size_t size, std::chrono::steady_clock::time_point deadline);
  [[noreturn]] void fail_ended();
  void kill();
  void close();

  pid_t id_ = -1;
  int socket_ = -1;
  /// What it writes to standard error.
  int error_ = -1;
};

}  // namespace flowspec
