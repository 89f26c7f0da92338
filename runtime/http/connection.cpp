/// The course of a connection: requests, limits, its end.

#include "runtime/http/connection.hpp"

#include <utility>

#include <boost/asio/post.hpp>
#include <poll.h>
#include <sys/socket.h>

namespace flowspec {

namespace {

/// How long a client may take to close after it has its answer.
constexpr std::chrono::milliseconds linger_limit{2'000};
constexpr std::chrono::milliseconds watch_interval{300};

HttpAnswer answer_of(const HttpProblem& problem) {
  return {problem.status, "application/json", error_body(problem), {}};
}

}  // namespace

HttpConnection::HttpConnection(HttpCore& core, Tcp::socket socket, std::string peer)
    : core_(core),
      stream_(std::move(socket), core.tls ? &*core.tls : nullptr),
      timer_(stream_.socket().get_executor()),
      write_timer_(stream_.socket().get_executor()),
      peer_(std::move(peer)) {}

HttpConnection::~HttpConnection() {
  core_.bodies -= counted_body_;
  if (reply_)
    reply_->cut();
  core_.connections.leave(this);
}

void HttpConnection::post(std::shared_ptr<HttpConnection> self, void (HttpConnection::*what)()) {
  auto executor = self->stream_.socket().get_executor();
  asio::post(executor, [self = std::move(self), what] {
    if (self->phase_ != Phase::closed)
      (*self.*what)();
  });
}

void HttpConnection::start() {
  post(shared_from_this(), &HttpConnection::begin);
}

void HttpConnection::turn_away() {
  post(shared_from_this(), &HttpConnection::tell_busy);
}

void HttpConnection::end_soon() {
  post(shared_from_this(), &HttpConnection::finish_soon);
}

void HttpConnection::cut() {
  post(shared_from_this(), &HttpConnection::close);
}

void HttpConnection::begin() {
  if (!stream_.has_tls())
    return begin_request(core_.config.timeouts.head);
  set_limit(core_.config.timeouts.handshake);
  stream_.handshake([self = shared_from_this()](const SystemError& error) {
    if (self->phase_ == Phase::closed)
      return;
    if (error)
      return self->close();
    self->begin_request(self->core_.config.timeouts.head);
  });
}

void HttpConnection::begin_request(std::chrono::milliseconds patience) {
  phase_ = Phase::head;
  reader_ = std::make_unique<RequestReader>(core_.config.limits);
  has_head_begun_ = false;
  is_admitted_ = false;
  cors_.clear();
  set_limit(patience);
  process();
}

void HttpConnection::tell_busy() {
  // A handshake would cost more than whoever is turned away is worth.
  if (stream_.has_tls())
    return close();
  refuse(
      {503, "application/json", error_body({503, "too many connections"}), {{"Retry-After", "1"}}});
}

void HttpConnection::finish_soon() {
  is_stopping_ = true;
  if (phase_ == Phase::handshake || phase_ == Phase::head || phase_ == Phase::body)
    close();
}

void HttpConnection::process() {
  while (phase_ == Phase::head || phase_ == Phase::body) {
    std::size_t used = 0;
    if (begin_ < end_) {
      used = reader_->feed(std::string_view(buffer_).substr(begin_, end_ - begin_));
      begin_ += used;
      if (!std::exchange(has_head_begun_, true))
        set_limit(core_.config.timeouts.head);
    }
    auto state = reader_->state();
    if (state == RequestReader::State::failed)
      return fail(reader_->problem());
    if (!count_body())
      return fail({503, "too many large requests at once"});
    if (state != RequestReader::State::head && !is_admitted_ && !admit())
      return;
    if (state == RequestReader::State::done)
      return dispatch();
    if (used == 0 || begin_ == end_)
      break;
  }
  if (client_has_ended_)
    return close();
  read();
}

bool HttpConnection::admit() {
  auto& request = reader_->request();
  request.peer = peer_;
  is_admitted_ = true;
  auto problem = check_request(request, core_.rules);
  cors_ = cors_fields(request, core_.rules);
  if (problem) {
    fail(*problem);
    return false;
  }
  // (Browsers send no key with a preflight.)
  if (core_.admission && !is_preflight(request)) {
    if (auto answer = core_.admission(request)) {
      refuse(*answer);
      return false;
    }
  }
  if (reader_->state() == RequestReader::State::done)
    return true;
  phase_ = Phase::body;
  set_limit(core_.config.timeouts.body);
  if (reader_->expects_continue() && begin_ == end_) {
    own_ += "HTTP/1.1 100 Continue\r\n\r\n";
    flush();
  }
  return true;
}

bool HttpConnection::count_body() {
  auto now = reader_->body_bytes();
  if (now == counted_body_)
    return true;
  auto added = now - std::exchange(counted_body_, now);
  return (core_.bodies += added) <= core_.config.limits.bodies_bytes;
}

void HttpConnection::dispatch() {
  phase_ = Phase::answering;
  timer_.cancel();
  core_.bodies -= std::exchange(counted_body_, 0);
  ++core_.counters.requests;
  auto request = std::move(reader_->request());
  ReplyShape shape{request.method == "HEAD", reader_->is_http_1_0(), reader_->keeps_alive(), cors_,
                   core_.config.limits.queue_bytes};
  if (is_stopping_)
    shape.keeps_alive = false;
  bool may_browser_ask = is_preflight(request) && !cors_.empty();
  reader_.reset();
  // Called with the lock of the queue, which `close` takes as well: so nothing is posted after the end.
  auto wake = [weak = weak_from_this()] {
    if (auto self = weak.lock())
      post(std::move(self), &HttpConnection::flush);
  };
  reply_ = std::make_shared<ReplyQueue>(std::move(shape), wake);
  auto reply = std::make_shared<QueuedReply>(reply_);
  if (may_browser_ask) {
    reply->respond(204, "", "", {});
  } else {
    try {
      core_.handler(std::move(request), reply);
    } catch (const std::exception&) {
      reply->respond(500, "application/json", error_body({500, "the server failed"}), {});
    }
  }
  read();
}

void HttpConnection::fail(const HttpProblem& problem) {
  refuse(answer_of(problem));
}

void HttpConnection::refuse(const HttpAnswer& answer) {
  ++core_.counters.requests_refused;
  bool is_head = reader_ && reader_->request().method == "HEAD";
  auto fields = cors_;
  fields.insert(fields.end(), answer.fields.begin(), answer.fields.end());
  own_ += response_head(answer.status, answer.content_type, fields,
                        {answer.body.size(), false, false, false});
  if (!is_head)
    own_ += answer.body;
  phase_ = Phase::closing;
  timer_.cancel();
  core_.bodies -= std::exchange(counted_body_, 0);
  reader_.reset();
  flush();
}

void HttpConnection::end_answer() {
  bool is_broken_off = reply_->is_broken_off();
  bool keeps_alive = reply_->keeps_alive();
  reply_->cut();
  reply_.reset();
  if (is_broken_off) {
    // A reset: the end alone would look like that of a complete answer to clients of HTTP/1.0.
    SystemError ignored;
    stream_.socket().set_option(Tcp::socket::linger(true, 0), ignored);
    return close();
  }
  if (!keeps_alive || is_stopping_)
    return linger();
  begin_request(core_.config.timeouts.idle);
}

void HttpConnection::linger() {
  phase_ = Phase::lingering;
  if (client_has_ended_)
    return close();
  set_limit(linger_limit);
  if (stream_.has_tls()) {
    stream_.say_end([self = shared_from_this()](const SystemError&) { self->close(); });
    return;
  }
  SystemError error;
  stream_.socket().shutdown(Tcp::socket::shutdown_send, error);
  if (error)
    return close();
  read();
}

void HttpConnection::close() {
  if (phase_ == Phase::closed)
    return;
  phase_ = Phase::closed;
  timer_.cancel();
  write_timer_.cancel();
  SystemError ignored;
  stream_.socket().close(ignored);
  core_.bodies -= std::exchange(counted_body_, 0);
  if (auto reply = std::exchange(reply_, nullptr); reply && reply->cut())
    ++core_.counters.clients_gone;
  core_.connections.leave(this);
}

void HttpConnection::set_limit(std::chrono::milliseconds limit) {
  limit_ = Clock::now() + limit;
  timer_.expires_at(limit_);
  timer_.async_wait([self = shared_from_this()](const SystemError& error) {
    // A limit that was set anew meanwhile has a wait of its own.
    if (!error && self->phase_ != Phase::closed && Clock::now() >= self->limit_)
      self->limit_is_over();
  });
}

void HttpConnection::limit_is_over() {
  switch (phase_) {
    case Phase::head:
      if (!has_head_begun_)
        return close();
      return fail({408, "the head of the request did not come in time"});
    case Phase::body:
      return fail({408, "the body of the request did not come in time"});
    case Phase::answering:
    case Phase::closing:
      return watch_for_end();
    default:
      return close();
  }
}

void HttpConnection::watch_for_end() {
  pollfd state{stream_.socket().native_handle(), POLLRDHUP, 0};
  if (::poll(&state, 1, 0) > 0 && state.revents != 0)
    return client_ended((state.revents & (POLLERR | POLLHUP)) != 0);
  set_limit(watch_interval);
}

}  // namespace flowspec
