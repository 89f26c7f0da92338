#include "actors/cluster/wire/secret.hpp"

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/cluster/wire/wire_error.hpp"
#include "models/formats/file_descriptor.hpp"

namespace flowspec {

namespace {

constexpr std::size_t most_secret_bytes = 4096;

using Digest = std::array<std::byte, 32>;

std::string system_text() {
  return std::generic_category().message(errno);
}

WireError problem(const std::filesystem::path& file, const std::string& what) {
  return WireError(fmt::format("secret {}: {}", file.string(), what));
}

Digest sha256(const std::string& text) {
  Digest digest;
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size,
                 EVP_sha256(), nullptr) != 1)
    throw WireError("OpenSSL cannot compute SHA-256");
  return digest;
}

std::string hex(const std::byte* bytes, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i)
    text += fmt::format("{:02x}", std::to_integer<unsigned>(bytes[i]));
  return text;
}

std::filesystem::path home() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    return home;
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr && found->pw_dir != nullptr && *found->pw_dir == '/')
    return found->pw_dir;
  throw WireError("this user has no home folder to keep a secret in: give --secret-file");
}

/// The file with its whole content appears at once; if another program was faster, its file stays.
void make_secret(const std::filesystem::path& file) {
  std::array<std::byte, 32> random;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), random.size()) != 1)
    throw WireError("OpenSSL has no random numbers");
  auto text = hex(random.data(), random.size()) + "\n";
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);  // open says what is wrong
  auto draft = file;
  draft += fmt::format(".{}", hex(random.data(), 4));
  {
    FileDescriptor made(
        ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (made.get() < 0 ||
        ::write(made.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      auto why = system_text();
      ::unlink(draft.c_str());
      throw problem(file, fmt::format("cannot be made: {}. Give --secret-file", why));
    }
  }
  bool failed = ::link(draft.c_str(), file.c_str()) != 0 && errno != EEXIST;
  auto why = system_text();
  ::unlink(draft.c_str());
  if (failed)
    throw problem(file, fmt::format("cannot be made: {}. Give --secret-file", why));
}

}  // namespace

std::filesystem::path user_secret_path() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  auto folder =
      config != nullptr && *config == '/' ? std::filesystem::path(config) : home() / ".config";
  return folder / "flowspec" / "secret";
}

Secret read_secret(const std::filesystem::path& file) {
  FileDescriptor opened(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (opened.get() < 0 || ::fstat(opened.get(), &status) != 0)
    throw problem(file, system_text());
  if (!S_ISREG(status.st_mode))
    throw problem(file, "is no regular file");
  // A group may read it: that is how two users share it.
  if ((status.st_mode & (S_IWGRP | S_IRWXO)) != 0)
    throw problem(file,
                  fmt::format("others may read or write it. Say chmod 600 {}", file.string()));
  std::string text(most_secret_bytes + 1, '\0');
  auto size = ::read(opened.get(), text.data(), text.size());
  if (size < 0)
    throw problem(file, system_text());
  text.resize(static_cast<std::size_t>(size));
  if (text.size() < least_secret_bytes || text.size() > most_secret_bytes)
    throw problem(file, fmt::format("has {} bytes, where {} to {} are wanted", text.size(),
                                    least_secret_bytes, most_secret_bytes));
  Secret secret;
  secret.key = sha256("flowspec key\n" + text);
  auto name = sha256("flowspec identity\n" + text);
  secret.identity = hex(name.data(), 8);
  return secret;
}

Secret user_secret(const std::filesystem::path& file) {
  if (::access(file.c_str(), F_OK) != 0)
    make_secret(file);
  return read_secret(file);
}

}  // namespace flowspec
