#include "runtime/membership/joiner.hpp"

#include <optional>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "actors/cluster/resolve.hpp"
#include "runtime/console/error.hpp"
#include "runtime/membership/openssl.hpp"
#include "runtime/membership/tls_stream.hpp"

namespace flowspec {

namespace {

constexpr std::chrono::seconds connect_limit{5};
/// The inviter's own limit, and time on the way.
constexpr std::chrono::seconds answer_limit = connection_limit + std::chrono::seconds(2);

std::string pem_of(X509* certificate) {
  Bio bio(BIO_new(BIO_s_mem()));
  require(bio && PEM_write_bio_X509(bio.get(), certificate) == 1, "write a certificate");
  return text_of(bio);
}

/// Why the other side is not the cluster's owner; empty: it is.
std::string stranger_problem(SSL* ssl, const std::string& fingerprint) {
  auto* chain = SSL_get_peer_cert_chain(ssl);
  if (chain == nullptr || sk_X509_num(chain) == 0)
    return "it shows no certificate";
  std::string authority;
  for (int i = 0; i < sk_X509_num(chain); ++i)
    if (auto pem = pem_of(sk_X509_value(chain, i)); fingerprint_of(pem) == fingerprint)
      authority = pem;
  if (authority.empty())
    return "it belongs to another cluster than the invitation";
  auto own = pem_of(sk_X509_value(chain, 0));
  if (auto problem = certificate_problem(own, authority, seconds_now()); !problem.empty())
    return fmt::format("its certificate is not good: {}", problem);
  return facts_of(own).is_owner ? "" : "it is a member of the cluster, but not its owner";
}

/// One connection, step by step, each with a time limit.
class Caller {
 public:
  explicit Caller(const InvitationLine& invitation) : invitation_(invitation) {
    only_tls13(tls_);
    // The chain is checked below: what is trusted comes with it, known by its fingerprint.
    tls_.set_verify_mode(asio::ssl::verify_none);
    stream_.emplace(context_, tls_);
  }

  JoinAnswer ask(const JoinRequest& request) {
    connect();
    check(run(answer_limit, [&](auto done) { stream_->async_handshake(TlsStream::client, done); }),
          "does not answer as an invitation does");
    if (auto problem = stranger_problem(stream_->native_handle(), invitation_.fingerprint);
        !problem.empty())
      throw failure(fmt::format("is not whom the invitation names: {}", problem));
    auto text = encode(request);
    check(run(answer_limit,
              [&](auto done) {
                asio::async_write(*stream_, asio::buffer(text),
                                  [done](const SystemError& error, std::size_t) { done(error); });
              }),
          "has hung up");
    asio::streambuf received(most_answer_bytes);
    std::size_t size = 0;
    check(
        run(answer_limit,
            [&](auto done) {
              asio::async_read_until(*stream_, received, '\n',
                                     [done, &size](const SystemError& error, std::size_t count) {
                                       size = count;
                                       done(error);
                                     });
            }),
        "has not answered. On the inviting machine, `flowspec cluster list` says whether this one "
        "was admitted");
    std::string line(asio::buffers_begin(received.data()),
                     asio::buffers_begin(received.data()) + static_cast<std::ptrdiff_t>(size));
    auto answer = parse_join_answer(line);
    run(std::chrono::seconds(1), [&](auto done) { stream_->async_shutdown(done); });
    return answer;
  }

 private:
  RuntimeError failure(const std::string& what) const {
    return RuntimeError(ErrorCode::protocol,
                        fmt::format("{} {}", invitation_.address.text(), what));
  }

  void check(const SystemError& error, const char* what) const {
    if (error)
      throw failure(fmt::format("{} ({})", what, error.message()));
  }

  template <class Start>
  SystemError run(std::chrono::seconds limit, const Start& start) {
    SystemError result = asio::error::would_block;
    start([&result](const SystemError& error) { result = error; });
    context_.restart();
    context_.run_for(limit);
    if (!context_.stopped()) {
      SystemError ignored;
      stream_->lowest_layer().close(ignored);
      context_.run();
      result = asio::error::timed_out;
    }
    return result;
  }

  void connect() {
    auto resolved = resolve(invitation_.address.host, invitation_.address.port);
    if (!resolved.problem.empty())
      throw failure(fmt::format("cannot be reached: {}", resolved.problem));
    SystemError error;
    for (const HostAddress& address : resolved.addresses) {
      Tcp::endpoint endpoint;
      endpoint.resize(address.size);
      std::copy_n(reinterpret_cast<const char*>(address.get()), address.size,
                  reinterpret_cast<char*>(endpoint.data()));
      SystemError ignored;
      stream_->lowest_layer().close(ignored);
      error = run(connect_limit,
                  [&](auto done) { stream_->lowest_layer().async_connect(endpoint, done); });
      if (!error)
        return;
    }
    throw failure(fmt::format(
        "cannot be reached: {}. The invitation may have been used, or have lapsed, or `flowspec "
        "cluster invite` was ended: ask for a new one",
        error.message()));
  }

  const InvitationLine& invitation_;
  asio::io_context context_{1};
  asio::ssl::context tls_{asio::ssl::context::tls_client};
  std::optional<TlsStream> stream_;
};

}  // namespace

JoinAnswer ask_to_join(const InvitationLine& invitation, const std::string& name,
                       const std::string& key) {
  Caller caller(invitation);
  auto answer = caller.ask({invitation.secret, name, make_request(key, name)});
  if (!answer.refusal.empty())
    throw RuntimeError(fmt::format("{} refuses: {}", invitation.address.text(), answer.refusal));
  if (fingerprint_of(answer.authority) != invitation.fingerprint)
    throw RuntimeError(ErrorCode::protocol,
                       fmt::format("{} answers for another cluster", invitation.address.text()));
  return answer;
}

}  // namespace flowspec
