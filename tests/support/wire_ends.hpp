#pragma once
/// The ends of connections, for tests that have both in one process.

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "actors/cluster/wire/connection.hpp"
#include "actors/cluster/wire/transport.hpp"
#include "tests/support/frames.hpp"

namespace flowspec::test {

inline Secret secret_of(char letter) {
  Secret secret;
  secret.key.fill(static_cast<std::byte>(letter));
  secret.identity = std::string("secret ") + letter;
  return secret;
}

inline TransportOptions options_of(char letter, char secret = 's') {
  TransportOptions options;
  options.tls = std::make_shared<TlsContext>(secret_of(secret));
  options.greeting.oldest_protocol = options.greeting.newest_protocol = 5;
  options.greeting.version = "1.0";
  options.greeting.name = std::string("node ") + letter;
  options.greeting.node = node_key(letter);
  options.greeting.heartbeat = std::chrono::milliseconds(50);
  return options;
}

/// Keeps the frames that come.
class Inbox : public FrameReceiver {
 public:
  explicit Inbox(Connection& connection) : connection_(connection) {}
  void take(std::vector<char>& frame) override {
    std::lock_guard lock(mutex_);
    connection_.consumed(frame.size());
    frames_.emplace_back(frame.begin(), frame.end());
    changed_.notify_all();
  }
  void closed() override {
    std::lock_guard lock(mutex_);
    is_closed_ = true;
    changed_.notify_all();
  }

  std::vector<std::string> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10),
                      [&] { return frames_.size() >= count || is_closed_; });
    return frames_;
  }
  bool waits_for_end() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return is_closed_; });
  }

 private:
  Connection& connection_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> frames_;
  bool is_closed_ = false;
};

/// One end, with its inbox.
struct End {
  std::shared_ptr<Connection> connection;
  std::shared_ptr<Inbox> inbox;

  explicit End(std::shared_ptr<Connection> operating)
      : connection(std::move(operating)), inbox(std::make_shared<Inbox>(*connection)) {
    connection->attach(inbox);
  }
  void send(const std::string& frame) const { connection->send({frame.begin(), frame.end()}); }
};

inline Transport::Dialled dial(Transport& transport, const std::vector<HostAddress>& addresses) {
  std::promise<Transport::Dialled> dialled;
  transport.dial(addresses, [&](Transport::Dialled result) { dialled.set_value(result); });
  return dialled.get_future().get();
}

}  // namespace flowspec::test
