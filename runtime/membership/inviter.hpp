#pragma once
/// Serves one invitation over TLS 1.3.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "actors/cluster/resolve.hpp"
#include "runtime/membership/certificates.hpp"
#include "runtime/membership/invitation.hpp"
#include "runtime/membership/join_messages.hpp"

namespace flowspec {

/// Takes connections until somebody has joined, the invitation ends, or `stop`. A connection has some
/// seconds and some KiB; whoever is silent, or speaks something else, is dropped without a word, and
/// keeps nobody else waiting.
class Inviter {
 public:
  struct Events {
    /// Who knows the secret: makes the certificate, or throws RuntimeError, which says why not.
    std::function<JoinAnswer(const JoinRequest&)> admit;
    /// What happened, for people.
    std::function<void(const std::string&)> tell;
  };
  enum class End { used, lapsed, locked, stopped };

  /// Listens. Throws RuntimeError.
  /// @param owner      of the cluster: newcomers take nobody else's word
  /// @param authority  its certificate
  Inviter(const HostAddress& address, const Identity& owner, const std::string& authority,
          Invitation invitation, Events events);
  ~Inviter();
  Inviter(const Inviter&) = delete;
  Inviter& operator=(const Inviter&) = delete;

  std::uint16_t port() const;
  /// Blocks.
  End serve();
  /// Thread-safe.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flowspec
