#pragma once
/// TLS 1.3 as a machine that turns bytes into bytes: it knows no sockets.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "actors/cluster/wire/bytes.hpp"
#include "actors/cluster/wire/secret.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace flowspec {

/// The files of mutual TLS, in PEM.
struct TlsFiles {
  std::string certificate;
  std::string key;
  /// Certificate of the authority that signs the certificates of all nodes.
  std::string ca;
  /// The authority's revocation list; empty: none is looked at.
  std::string crl;

  bool enabled() const {
    return !certificate.empty() || !key.empty() || !ca.empty() || !crl.empty();
  }
};

/// How this process proves who it is, and what it wants to see of others. Shared by all sessions.
/// Thread-safe.
class TlsContext {
 public:
  /// By certificates. Throws WireError, which names the file, if one cannot be read, does not fit
  /// the others, is not valid today, or if others may read the key.
  explicit TlsContext(const TlsFiles& files);
  /// By a secret that both sides know.
  explicit TlsContext(const Secret& secret);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  bool uses_certificates() const { return !secret_; }
  /// For a new session. Files that have changed are read again, so that a member that was removed is
  /// refused, and a certificate that was renewed used, without a new start. If they cannot be read,
  /// what stood before is used.
  std::shared_ptr<ssl_ctx_st> current() const;
  const Secret& secret() const { return *secret_; }

 private:
  struct Watched;

  std::shared_ptr<ssl_ctx_st> context_;
  std::unique_ptr<Secret> secret_;
  std::shared_ptr<Watched> watched_;
};

enum class TlsSide { client, server };

/// One end of one connection. Not thread-safe.
class TlsSession {
 public:
  TlsSession(const TlsContext& context, TlsSide side);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  /// Bytes that have come from the peer. They are read, not copied: they have to stay until `read`,
  /// or `shake_hands`, has nothing more to give.
  void feed(Bytes cipher) { incoming_ = cipher; }

  enum class Handshake { goes_on, done, failed };
  Handshake shake_hands();

  /// Decrypts to the front of `plain`: how many bytes; 0 if more has to be fed, or the peer has
  /// closed, or something is wrong.
  std::size_t read(std::span<std::byte> plain);
  /// Encrypts all bytes.
  void write(Bytes plain);
  /// Tells the peer that nothing more comes.
  void close();

  /// A fingerprint of the peer's certificate, once hands are shaken; empty where a secret is used.
  std::string peer_certificate() const;

  /// The peer has said that nothing more comes.
  bool is_closed() const { return is_closed_; }
  /// What went wrong, for people; empty if nothing has.
  const std::string& problem() const { return problem_; }

  bool has_outgoing() const { return !outgoing_.empty(); }
  std::size_t outgoing_bytes() const { return outgoing_.size(); }
  /// Swaps what has to be sent to the peer with the contents of `bytes`, which are lost.
  void take_outgoing(std::vector<char>& bytes);

  /// For OpenSSL: bytes in and out.
  int give_incoming(char* bytes, int size);
  void add_outgoing(const char* bytes, int size) {
    outgoing_.insert(outgoing_.end(), bytes, bytes + size);
  }

 private:
  bool fails(int result);

  const TlsContext& context_;
  std::shared_ptr<ssl_st> ssl_;
  Bytes incoming_;
  std::vector<char> outgoing_;
  bool is_closed_ = false;
  std::string problem_;
};

}  // namespace flowspec
