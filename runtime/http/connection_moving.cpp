/// Bytes in and out of a connection.

#include <utility>

#include "runtime/http/connection.hpp"

namespace flowspec {

namespace {

/// Of what has come and is not used yet. It grows up to the largest head.
constexpr std::size_t first_buffer = 2048;

}  // namespace

void HttpConnection::read() {
  if (is_reading_ || client_has_ended_ || phase_ == Phase::closed)
    return;
  if (phase_ == Phase::lingering)
    begin_ = end_;
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  auto most = std::max(core_.config.limits.head_bytes, first_buffer);
  if (end_ == most)
    return watch_for_end();
  // Idle connections keep little.
  auto size = phase_ == Phase::body ? most : std::clamp(end_ * 2, first_buffer, most);
  if (buffer_.size() < size || end_ == 0) {
    buffer_.resize(size);
    buffer_.shrink_to_fit();
  }
  is_reading_ = true;
  stream_.read_some(asio::buffer(buffer_.data() + end_, buffer_.size() - end_),
                    [self = shared_from_this()](const SystemError& error, std::size_t bytes) {
                      self->is_reading_ = false;
                      if (self->phase_ != Phase::closed)
                        self->have_read(error, bytes);
                    });
}

void HttpConnection::have_read(const SystemError& error, std::size_t bytes) {
  end_ += bytes;
  core_.counters.bytes_received += bytes;
  if (error)
    return client_ended(error != asio::error::eof && error != asio::ssl::error::stream_truncated);
  process();
}

void HttpConnection::client_ended(bool is_reset) {
  client_has_ended_ = true;
  bool may_read_on =
      phase_ == Phase::closing || (phase_ == Phase::answering && reply_ && reply_->is_complete());
  if (is_reset || !may_read_on)
    return close();
}

void HttpConnection::flush() {
  if (is_writing_ || phase_ == Phase::closed)
    return;
  if (out_sent_ == out_.size()) {
    out_sent_ = 0;
    out_ = std::exchange(own_, {});
    is_out_of_reply_ = false;
    if (out_.empty() && phase_ == Phase::answering) {
      // In this order: what came before the end can be taken after it.
      bool is_complete = reply_->is_complete();
      out_ = reply_->take();
      is_out_of_reply_ = true;
      if (out_.empty() && is_complete)
        return end_answer();
    }
    if (out_.empty()) {
      if (phase_ == Phase::closing)
        linger();
      return;
    }
  }
  is_writing_ = true;
  write_limit_ = Clock::now() + core_.config.timeouts.write;
  write_timer_.expires_at(write_limit_);
  write_timer_.async_wait([self = shared_from_this()](const SystemError& error) {
    if (!error && self->is_writing_ && Clock::now() >= self->write_limit_)
      self->close();
  });
  stream_.write_some(asio::buffer(out_.data() + out_sent_, out_.size() - out_sent_),
                     [self = shared_from_this()](const SystemError& error, std::size_t bytes) {
                       self->is_writing_ = false;
                       self->write_timer_.cancel();
                       if (self->phase_ != Phase::closed)
                         self->have_written(error, bytes);
                     });
}

void HttpConnection::have_written(const SystemError& error, std::size_t bytes) {
  core_.counters.bytes_sent += bytes;
  if (error)
    return close();
  out_sent_ += bytes;
  if (is_out_of_reply_ && reply_)
    reply_->sent(bytes);
  flush();
}

}  // namespace flowspec
