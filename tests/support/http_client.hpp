#pragma once
/// HTTP as clients speak it, byte by byte.

#include <chrono>
#include <memory>
#include <optional>
#include <string>

struct ssl_st;
struct ssl_ctx_st;

namespace flowspec::test {

/// An answer: the head up to and without the empty line, and the body without its chunks.
struct ClientAnswer {
  int status = 0;
  std::string head;
  std::string body;
  bool has(const std::string& text) const { return head.find(text) != std::string::npos; }
};

/// A connection to 127.0.0.1. Throws std::runtime_error where nothing comes for a minute, and where what comes is no
/// answer.
class HttpClient {
 public:
  /// `receive_buffer`: bytes that the system keeps for this side (0: its default).
  explicit HttpClient(int port, int receive_buffer = 0);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Speaks TLS from now on; trusts everybody. `version`: the highest to offer (as OpenSSL says it;
  /// 0: any). False if the handshake fails.
  bool start_tls(int version = 0);
  /// False if the peer has closed.
  bool send(const std::string& bytes);
  /// What has come; empty at the end of the connection.
  std::string receive();
  /// Reads until this text has come, and returns everything up to its end.
  std::string read_until(const std::string& text);
  /// Reads one whole answer. `is_head`: to a HEAD request, which has no body.
  ClientAnswer answer(bool is_head = false);
  /// Sends, and reads the answer.
  ClientAnswer ask(const std::string& bytes) {
    send(bytes);
    return answer();
  }
  /// Reads up to the end.
  std::string rest();
  /// Whether the peer closes in time; reads what it says until then.
  bool is_closed();
  /// Ends with a reset in place of an orderly end.
  void reset();
  /// Sends no more, but could read.
  void end_sending();

 private:
  int fd_ = -1;
  std::string read_;
  std::shared_ptr<ssl_ctx_st> context_;
  std::shared_ptr<ssl_st> tls_;
};

/// "METHOD target HTTP/1.1", Host, and a body with its length.
std::string request_text(const std::string& method, const std::string& target,
                         const std::string& body = "", const std::string& fields = "");

}  // namespace flowspec::test
