#include <algorithm>

#include "runtime/http/connection.hpp"
#include "runtime/http/server_core.hpp"

namespace flowspec {

namespace {

/// So many are told why they have to go; others are just closed.
constexpr std::size_t most_refused = 64;

}  // namespace

HttpConnections::Verdict HttpConnections::enter(const std::shared_ptr<HttpConnection>& connection,
                                                const std::string& address) {
  std::lock_guard lock(mutex_);
  if (is_stopping_)
    return Verdict::dropped;
  auto found = of_address_.find(address);
  auto of_one = found == of_address_.end() ? 0 : found->second;
  bool is_refused =
      entries_.size() - refused_ >= most_ || (most_of_one_ != 0 && of_one >= most_of_one_);
  if (is_refused && refused_ >= most_refused)
    return Verdict::dropped;
  entries_.emplace(connection.get(), Entry{connection, address, is_refused});
  if (is_refused) {
    ++refused_;
    return Verdict::refused;
  }
  ++of_address_[address];
  return Verdict::taken;
}

void HttpConnections::leave(HttpConnection* connection) {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(connection);
  if (found == entries_.end())
    return;
  if (found->second.is_refused)
    --refused_;
  else if (auto of_one = of_address_.find(found->second.address); --of_one->second == 0)
    of_address_.erase(of_one);
  entries_.erase(found);
  changed_.notify_all();
}

std::size_t HttpConnections::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size() - refused_;
}

void HttpConnections::stop() {
  std::lock_guard lock(mutex_);
  is_stopping_ = true;
}

std::vector<std::shared_ptr<HttpConnection>> HttpConnections::all() const {
  std::vector<std::shared_ptr<HttpConnection>> result;
  std::lock_guard lock(mutex_);
  for (const auto& [pointer, entry] : entries_)
    if (auto connection = entry.connection.lock())
      result.push_back(std::move(connection));
  return result;
}

bool HttpConnections::wait_for_none(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return entries_.empty(); });
}

void HttpConnections::wait_for_none() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return entries_.empty(); });
}

}  // namespace flowspec
