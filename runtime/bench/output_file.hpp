#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace flowspec {

/// A file that an option asks for. It is either written as a whole or stays as it was: the text
/// goes to a temporary file beside it, which then takes its name. What is no regular file
/// (/dev/stdout) is written directly.
class OutputFile {
 public:
  /// Tries whether the temporary file can be made, so that a wrong path is found before hours of
  /// work. `option` names the option in errors; an empty path makes an object that writes nothing.
  /// Throws RuntimeError.
  OutputFile(std::string option, const std::string& path);

  bool is_wanted() const { return !path_.empty(); }
  /// Throws RuntimeError.
  void write(std::string_view text) const;

 private:
  [[noreturn]] void fail(int error) const;

  std::string option_;
  std::filesystem::path path_;
  /// What the text goes to first; `path_` where the file is written directly.
  std::filesystem::path temporary_;
};

}  // namespace flowspec
