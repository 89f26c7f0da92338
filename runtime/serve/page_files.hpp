#pragma once
/// The files of the page, and the headers that they are sent with. Nothing of them is secret, so they need
/// no API key: the page asks for it.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flowspec {

struct PageFile {
  std::string content_type;
  std::string content;
};

/// A library that the page uses as Debian has it.
struct PageLibrary {
  /// "/vendor/marked.js"
  std::string path;
  std::filesystem::path file;
  /// For messages.
  std::string package;
};

/// node-marked and node-dompurify.
const std::vector<PageLibrary>& page_libraries();

/// Read once: what is asked for is never a name of a file.
class PageFiles {
 public:
  /// The page of this program. Throws RuntimeError if its folder or index.html is missing.
  PageFiles();
  PageFiles(const std::filesystem::path& folder, const std::vector<PageLibrary>& libraries);

  /// "/" is index.html, "/page/NAME" the other files of the folder, "/vendor/NAME" the libraries; null: there is
  /// no such file.
  const PageFile* find(std::string_view path) const;
  /// What to say at the start if a library is missing; empty: all are there.
  const std::string& complaint() const { return complaint_; }

 private:
  void add(std::string path, const std::filesystem::path& file);

  std::map<std::string, PageFile, std::less<>> files_;
  std::string complaint_;
};

/// For every file of the page: nothing runs, is styled, loaded, or asked for, that does not come from here.
const std::vector<std::pair<std::string, std::string>>& page_headers();

}  // namespace flowspec
