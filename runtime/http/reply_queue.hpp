#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "runtime/http/http_reply.hpp"
#include "runtime/http/response_text.hpp"

namespace flowspec {

/// What an answer has to know of its request.
struct ReplyShape {
  bool is_head = false;
  bool is_http_1_0 = false;
  bool keeps_alive = true;
  /// Go with every answer.
  HttpFields fields;
  std::size_t queue_bytes = 0;
};

/// The bytes of one answer between whoever gives it and the connection that sends it. Thread-safe;
/// callbacks are called without a lock.
class ReplyQueue {
 public:
  /// `wake` is called when there is something to take, with a lock held: it must only post.
  ReplyQueue(ReplyShape shape, std::function<void()> wake);

  // For whoever answers: see HttpReply.
  void respond(int status, std::string_view content_type, std::string body,
               const HttpFields& fields);
  void begin_stream(std::string_view content_type, const HttpFields& fields);
  bool write(std::string_view chunk);
  void finish();
  void on_gone(std::function<void()> callback);
  void on_drain(std::function<void()> callback);
  bool gone() const;
  /// Nobody will answer any more.
  void abandon();

  // For the connection.
  /// What is to be sent next.
  std::string take();
  /// Of what was taken, this many bytes are sent.
  void sent(std::size_t bytes);
  /// Whether the answer is complete, or broken off; what can be taken has to be sent all the same.
  bool is_complete() const;
  bool is_broken_off() const;
  /// Whether the connection may go on after it.
  bool keeps_alive() const;
  /// The connection has ended. Nothing can be taken any more. True if the answer was not complete.
  bool cut();

 private:
  void put(std::string_view bytes);
  void respond_locked(int status, std::string_view content_type, std::string body,
                      const HttpFields& fields);

  mutable std::mutex mutex_;
  ReplyShape shape_;
  std::function<void()> wake_;
  std::function<void()> gone_callback_;
  std::function<void()> drain_callback_;
  std::string waiting_;
  /// Taken, and not sent yet.
  std::size_t under_way_ = 0;
  bool has_begun_ = false;
  bool is_chunked_ = false;
  bool is_complete_ = false;
  bool is_broken_off_ = false;
  bool is_gone_ = false;
  bool wants_drain_ = false;
};

/// What the handler gets.
class QueuedReply final : public HttpReply {
 public:
  explicit QueuedReply(std::shared_ptr<ReplyQueue> queue) : queue_(std::move(queue)) {}
  ~QueuedReply() override { queue_->abandon(); }
  QueuedReply(const QueuedReply&) = delete;
  QueuedReply& operator=(const QueuedReply&) = delete;

  void respond(int status, std::string_view content_type, std::string body,
               const HttpFields& fields) override {
    queue_->respond(status, content_type, std::move(body), fields);
  }
  void begin_stream(std::string_view content_type, const HttpFields& fields) override {
    queue_->begin_stream(content_type, fields);
  }
  bool write(std::string_view chunk) override { return queue_->write(chunk); }
  void finish() override { queue_->finish(); }
  void on_gone(std::function<void()> callback) override { queue_->on_gone(std::move(callback)); }
  void on_drain(std::function<void()> callback) override { queue_->on_drain(std::move(callback)); }
  bool gone() const override { return queue_->gone(); }

 private:
  std::shared_ptr<ReplyQueue> queue_;
};

}  // namespace flowspec
