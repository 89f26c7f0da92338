#include "runtime/http/reply_queue.hpp"

#include <utility>

namespace flowspec {

ReplyQueue::ReplyQueue(ReplyShape shape, std::function<void()> wake)
    : shape_(std::move(shape)), wake_(std::move(wake)) {}

void ReplyQueue::put(std::string_view bytes) {
  waiting_.append(bytes);
  wake_();
}

void ReplyQueue::respond(int status, std::string_view content_type, std::string body,
                         const HttpFields& fields) {
  std::lock_guard lock(mutex_);
  respond_locked(status, content_type, std::move(body), fields);
}

void ReplyQueue::respond_locked(int status, std::string_view content_type, std::string body,
                                const HttpFields& fields) {
  if (has_begun_ || is_gone_)
    return;
  has_begun_ = true;
  is_complete_ = true;
  auto all = shape_.fields;
  all.insert(all.end(), fields.begin(), fields.end());
  auto text = response_head(status, content_type, all,
                            {body.size(), false, shape_.keeps_alive, shape_.is_http_1_0});
  if (!shape_.is_head && status != 204 && status != 304)
    text += body;
  put(text);
}

void ReplyQueue::begin_stream(std::string_view content_type, const HttpFields& fields) {
  std::lock_guard lock(mutex_);
  if (has_begun_ || is_gone_)
    return;
  has_begun_ = true;
  is_chunked_ = !shape_.is_http_1_0;
  // Before chunks were known, the end of the connection was the end of the answer.
  if (!is_chunked_)
    shape_.keeps_alive = false;
  auto all = shape_.fields;
  all.insert(all.end(), fields.begin(), fields.end());
  put(response_head(200, content_type, all,
                    {std::nullopt, is_chunked_, shape_.keeps_alive, shape_.is_http_1_0}));
}

bool ReplyQueue::write(std::string_view chunk) {
  std::lock_guard lock(mutex_);
  if (!has_begun_ || is_complete_ || is_gone_)
    return false;
  if (shape_.is_head || chunk.empty())
    return true;
  auto queued = waiting_.size() + under_way_;
  if (queued != 0 && queued + chunk.size() > shape_.queue_bytes) {
    wants_drain_ = true;
    return false;
  }
  put(is_chunked_ ? chunk_text(chunk) : std::string(chunk));
  return true;
}

void ReplyQueue::finish() {
  std::lock_guard lock(mutex_);
  if (!has_begun_ || is_complete_ || is_gone_)
    return;
  is_complete_ = true;
  put(is_chunked_ && !shape_.is_head ? last_chunk : "");
}

void ReplyQueue::on_gone(std::function<void()> callback) {
  {
    std::lock_guard lock(mutex_);
    if (!is_gone_) {
      if (!is_complete_)
        std::swap(gone_callback_, callback);
      return;
    }
  }
  callback();
}

void ReplyQueue::on_drain(std::function<void()> callback) {
  std::lock_guard lock(mutex_);
  std::swap(drain_callback_, callback);
}

bool ReplyQueue::gone() const {
  std::lock_guard lock(mutex_);
  return is_gone_;
}

void ReplyQueue::abandon() {
  std::function<void()> gone_callback;
  std::function<void()> drain_callback;
  std::lock_guard lock(mutex_);
  std::swap(gone_callback, gone_callback_);
  std::swap(drain_callback, drain_callback_);
  if (is_complete_ || is_gone_)
    return;
  if (!has_begun_)
    return respond_locked(500, "application/json",
                          error_body({500, "the request was dropped without an answer"}), {});
  is_complete_ = true;
  is_broken_off_ = true;
  put("");
}

std::string ReplyQueue::take() {
  std::lock_guard lock(mutex_);
  under_way_ += waiting_.size();
  return std::exchange(waiting_, {});
}

void ReplyQueue::sent(std::size_t bytes) {
  std::function<void()> callback;
  {
    std::lock_guard lock(mutex_);
    under_way_ -= bytes;
    if (wants_drain_ && waiting_.size() + under_way_ <= shape_.queue_bytes / 2) {
      wants_drain_ = false;
      callback = drain_callback_;
    }
  }
  if (callback)
    callback();
}

bool ReplyQueue::is_complete() const {
  std::lock_guard lock(mutex_);
  return is_complete_;
}

bool ReplyQueue::is_broken_off() const {
  std::lock_guard lock(mutex_);
  return is_broken_off_;
}

bool ReplyQueue::keeps_alive() const {
  std::lock_guard lock(mutex_);
  return shape_.keeps_alive && !is_broken_off_;
}

bool ReplyQueue::cut() {
  std::function<void()> callback;
  std::function<void()> drain_callback;
  bool was_complete = false;
  {
    std::lock_guard lock(mutex_);
    was_complete = is_complete_;
    is_gone_ = is_gone_ || !was_complete;
    waiting_.clear();
    std::swap(drain_callback, drain_callback_);
    std::swap(callback, gone_callback_);
  }
  if (callback && !was_complete)
    callback();
  return !was_complete;
}

}  // namespace flowspec
