#include "runtime/serve/page_files.hpp"

#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/console/error.hpp"

namespace flowspec {

namespace {

namespace fs = std::filesystem;

/// Empty: not a file that the page has.
std::string content_type(const fs::path& file) {
  static const std::map<std::string, std::string> types{{".css", "text/css; charset=utf-8"},
                                                        {".html", "text/html; charset=utf-8"},
                                                        {".js", "text/javascript; charset=utf-8"},
                                                        {".svg", "image/svg+xml"}};
  auto found = types.find(file.extension().string());
  return found == types.end() ? "" : found->second;
}

std::string content_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(stream), {}};
  if (!stream)
    throw RuntimeError(fmt::format("{}: cannot be read", file.string()));
  return content;
}

}  // namespace

const std::vector<PageLibrary>& page_libraries() {
  static const std::vector<PageLibrary> libraries{
      {"/vendor/marked.js", "/usr/share/nodejs/marked/lib/marked.umd.min.js", "node-marked"},
      {"/vendor/purify.js", "/usr/share/nodejs/dompurify/dist/purify.min.js", "node-dompurify"}};
  return libraries;
}

PageFiles::PageFiles() : PageFiles(FLOWSPEC_PAGE_DIR, page_libraries()) {}

PageFiles::PageFiles(const fs::path& folder, const std::vector<PageLibrary>& libraries) {
  std::error_code error;
  if (!fs::is_regular_file(folder / "index.html", error))
    throw RuntimeError(
        fmt::format("{}: the page of the server is not there; it belongs to the program's sources",
                    (folder / "index.html").string()));
  add("/", folder / "index.html");
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && !content_type(entry.path()).empty())
      add("/page/" + entry.path().lexically_relative(folder).generic_string(), entry.path());

  std::vector<std::string> missing;
  for (const PageLibrary& library : libraries)
    if (fs::is_regular_file(library.file, error))
      add(library.path, library.file);
    else
      missing.push_back(library.package);
  if (!missing.empty())
    complaint_ = fmt::format(
        "the page shows answers as plain text, without Markdown, because {0} {1} not installed "
        "(apt-get install {2})",
        fmt::join(missing, " and "), missing.size() == 1 ? "is" : "are", fmt::join(missing, " "));
}

void PageFiles::add(std::string path, const fs::path& file) {
  files_[std::move(path)] = {content_type(file), content_of(file)};
}

const PageFile* PageFiles::find(std::string_view path) const {
  auto found = files_.find(path);
  return found == files_.end() ? nullptr : &found->second;
}

const std::vector<std::pair<std::string, std::string>>& page_headers() {
  static const std::vector<std::pair<std::string, std::string>> headers{
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src "
       "'self' data:; "
       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cache-Control", "no-cache"}};
  return headers;
}

}  // namespace flowspec
