#pragma once
/// A server with some answers, and the replies of those who wait.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

#include <boost/test/unit_test.hpp>

#include "runtime/http/http_server.hpp"
#include "tests/support/comes_true.hpp"
#include "tests/support/http_client.hpp"

namespace flowspec::test {

/// /hello and /echo answer at once, /stream in three pieces, /throw and /drop not at all. All other
/// paths wait for what the test does with their reply.
class HttpHost {
 public:
  explicit HttpHost(HttpConfig config = {}, HttpAdmission admission = {})
      : server_(
            std::move(config),
            [this](HttpRequest request, std::shared_ptr<HttpReply> reply) {
              handle(std::move(request), std::move(reply));
            },
            std::move(admission)) {}

  HttpServer& server() { return server_; }
  HttpClient client() { return HttpClient(server_.port()); }

  /// The reply of the next request that waits.
  std::shared_ptr<HttpReply> next() {
    std::unique_lock lock(mutex_);
    bool has_come =
        come_.wait_for(lock, std::chrono::seconds(20), [this] { return !waiting_.empty(); });
    BOOST_REQUIRE_MESSAGE(has_come, "no request has come");
    auto reply = std::move(waiting_.front());
    waiting_.pop_front();
    return reply;
  }
  bool has_next() {
    std::lock_guard lock(mutex_);
    return !waiting_.empty();
  }

 private:
  void handle(HttpRequest request, std::shared_ptr<HttpReply> reply) {
    if (request.path == "/hello")
      return reply->respond(200, "text/plain", "hello");
    if (request.path == "/echo")
      return reply->respond(200, "text/plain", std::move(request.body));
    if (request.path == "/throw")
      throw std::runtime_error("no");
    if (request.path == "/drop")
      return;
    if (request.path == "/stream") {
      reply->begin_stream("text/event-stream", {{"Cache-Control", "no-store"}});
      for (const char* piece : {"one ", "two ", "three"})
        reply->write(piece);
      return reply->finish();
    }
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(reply));
    come_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable come_;
  std::deque<std::shared_ptr<HttpReply>> waiting_;
  HttpServer server_;
};

/// Something that happens on another thread.
class Event {
 public:
  void happen() {
    std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [this] { return count_ > 0; });
  }
  int count() {
    std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace flowspec::test
