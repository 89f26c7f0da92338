#include "runtime/http/request_reader.hpp"

#include <algorithm>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace flowspec {

namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

std::string text_of(string_view text) {
  return {text.data(), text.size()};
}

bool is_control(char c) {
  auto byte = static_cast<unsigned char>(c);
  return (byte < ' ' && byte != '\t') || byte == 0x7f;
}

/// Beast's error for what its parser or `Parser` does not take.
HttpProblem problem_of(const error_code& error, const HttpLimits& limits) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return {431, "the head of the request is larger than " + std::to_string(limits.head_bytes) +
                     " bytes or " + std::to_string(limits.fields) + " fields"};
  if (error == http::error::body_limit)
    return {413, "the body of the request is larger than " + std::to_string(limits.body_bytes) +
                     " bytes"};
  if (error == http::error::bad_version)
    return {505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
  if (error == http::error::bad_transfer_encoding)
    return {400, "bad Transfer-Encoding, or one beside Content-Length"};
  return {400, "this is no valid HTTP request: " + error.message()};
}

}  // namespace

/// Takes what Beast's parser finds into an HttpRequest.
class RequestReader::Parser final : public http::basic_parser<true> {
 public:
  explicit Parser(const HttpLimits& limits) : limits_(limits) {
    header_limit(static_cast<std::uint32_t>(limits.head_bytes));
    body_limit(std::uint64_t{limits.body_bytes});
  }

  std::size_t feed(std::string_view bytes) {
    if (state_ == State::done || state_ == State::failed)
      return 0;
    auto used = skip_line_breaks(bytes);
    if (!got_some() && bytes.substr(used) == "\r")
      return used;
    while (used < bytes.size()) {
      bool was_head = state_ == State::head;
      error_code error;
      auto rest = bytes.substr(used);
      auto taken = put(boost::asio::buffer(rest.data(), rest.size()), error);
      used += taken;
      if (error == http::error::need_more) {
        if (taken == 0 && rest.size() >= limits_.head_bytes)
          fail(was_head ? problem_of(http::error::header_limit, limits_)
                        : HttpProblem{400, "the head of a chunk is too long"});
        if (taken == 0)
          break;
        continue;
      }
      if (error) {
        fail(problem_of(error, limits_));
        break;
      }
      if (problem_.status != 0) {
        state_ = State::failed;
        break;
      }
      if (is_done())
        state_ = State::done;
      else if (is_header_done())
        state_ = State::body;
      if (was_head || state_ == State::done)
        break;
    }
    return used;
  }

  State state() const { return state_; }
  const HttpProblem& problem() const { return problem_; }
  HttpRequest& request() { return request_; }
  bool is_http_1_0() const { return is_http_1_0_; }
  bool expects_continue() const {
    return expects_continue_ && state_ == State::body && request_.body.empty();
  }

 private:
  /// Some clients send a line break too many after a body; RFC 9112 wants it to be overlooked.
  std::size_t skip_line_breaks(std::string_view bytes) {
    if (got_some())
      return 0;
    std::size_t used = 0;
    while (skipped_ < 2 && bytes.substr(used, 2) == "\r\n") {
      used += 2;
      ++skipped_;
    }
    return used;
  }

  void fail(HttpProblem problem) {
    problem_ = std::move(problem);
    state_ = State::failed;
  }

  /// The first problem of a head counts.
  void refuse(int status, std::string text) {
    if (problem_.status == 0)
      problem_ = {status, std::move(text)};
  }

  void on_request_impl(http::verb, string_view method, string_view target, int version,
                       error_code&) override {
    request_.method = text_of(method);
    request_.path = text_of(target);
    is_http_1_0_ = version == 10;
  }

  void on_field_impl(http::field field, string_view name, string_view value,
                     error_code& error) override {
    if (state_ != State::head)
      return;  // those after the body are nobody's business
    if (request_.fields.size() >= limits_.fields) {
      error = http::error::header_limit;
      return;
    }
    // Beast lets some of these pass in values that go over several lines.
    auto text = text_of(value);
    if (std::ranges::any_of(text, is_control)) {
      error = http::error::bad_value;
      return;
    }
    bool is_again = request_.field(std::string_view(name.data(), name.size())).has_value();
    request_.fields.emplace_back(text_of(name), std::move(text));
    check(field, request_.fields.back().second, is_again);
  }

  void check(http::field field, const std::string& value, bool is_again) {
    if (field == http::field::host && is_again)
      refuse(400, "there are two Host fields");
    if (field == http::field::content_length && is_again)
      refuse(400, "there are two Content-Length fields");
    if (field == http::field::transfer_encoding) {
      if (is_http_1_0_)
        refuse(400, "HTTP/1.0 has no Transfer-Encoding");
      else if (!same_field(value, "chunked"))
        refuse(501, "the only Transfer-Encoding known here is chunked");
    }
    if (field == http::field::content_encoding && !same_field(value, "identity"))
      refuse(415, "bodies may not be compressed");
    if (field == http::field::expect) {
      if (!same_field(value, "100-continue"))
        refuse(417, "the only expectation known here is 100-continue");
      else
        expects_continue_ = !is_http_1_0_;
    }
  }

  void on_header_impl(error_code&) override {
    if (!is_http_1_0_ && !request_.field("Host"))
      refuse(400, "the field Host is missing");
  }

  std::size_t append(string_view body) {
    request_.body.append(body.data(), body.size());
    return body.size();
  }

  std::size_t on_body_impl(string_view body, error_code&) override { return append(body); }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override {
    return append(body);
  }
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  void on_finish_impl(error_code&) override {}

  HttpLimits limits_;
  State state_ = State::head;
  HttpRequest request_;
  /// Status 0: none.
  HttpProblem problem_{0, ""};
  bool is_http_1_0_ = false;
  bool expects_continue_ = false;
  int skipped_ = 0;
};

RequestReader::RequestReader(const HttpLimits& limits)
    : parser_(std::make_unique<Parser>(limits)) {}

RequestReader::~RequestReader() = default;

std::size_t RequestReader::feed(std::string_view bytes) {
  return parser_->feed(bytes);
}

RequestReader::State RequestReader::state() const {
  return parser_->state();
}

const HttpProblem& RequestReader::problem() const {
  return parser_->problem();
}

HttpRequest& RequestReader::request() {
  return parser_->request();
}

bool RequestReader::is_http_1_0() const {
  return parser_->is_http_1_0();
}

bool RequestReader::keeps_alive() const {
  return parser_->keep_alive();
}

bool RequestReader::expects_continue() const {
  return parser_->expects_continue();
}

std::size_t RequestReader::body_bytes() const {
  return parser_->request().body.size();
}

}  // namespace flowspec
