#pragma once
/// The secret that the programs of one user share: on one machine it is what certificates are
/// between machines.

#include <array>
#include <cstddef>
#include <filesystem>
#include <string>

namespace flowspec {

struct Secret {
  /// The key of TLS.
  std::array<std::byte, 32> key{};
  /// Names the key to the other side, and says nothing about it.
  std::string identity;
};

/// The least bytes that a file with a secret may have.
inline constexpr std::size_t least_secret_bytes = 32;

/// `flowspec/secret` in the user's configuration folder: $XDG_CONFIG_HOME, or ~/.config. Throws
/// WireError if the user has none.
std::filesystem::path user_secret_path();

/// Reads a secret. Throws WireError, which names the file, if it cannot be read, is too short, or
/// others may read it.
Secret read_secret(const std::filesystem::path& file);

/// The user's own secret, which is made on first use: by one of all the programs that try at the same
/// time. Throws WireError.
Secret user_secret(const std::filesystem::path& file = user_secret_path());

}  // namespace flowspec
