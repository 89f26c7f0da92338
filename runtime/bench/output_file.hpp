#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace flowspec {

/// A file that an option names. It is either written as a whole or left as it was: the text goes to
/// a temporary file beside it, which then replaces it. If the path is not a regular file
/// (/dev/stdout), it is written directly.
class OutputFile {
 public:
  /// Tests whether the temporary file can be made, so that a wrong path is found before hours of
  /// work. `option` names the option in errors; with an empty path nothing is ever written. Throws
  /// RuntimeError.
  OutputFile(std::string option, const std::string& path);

  bool is_wanted() const { return !path_.empty(); }
  /// Throws RuntimeError.
  void write(std::string_view text) const;

 private:
  [[noreturn]] void fail(int error) const;

  std::string option_;
  std::filesystem::path path_;
  /// The temporary file; `path_` if the file is written directly.
  std::filesystem::path temporary_;
};

}  // namespace flowspec
