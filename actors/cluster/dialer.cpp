#include "actors/cluster/dialer.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <set>

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <fmt/format.h>

#include "actors/cluster/resolve.hpp"
#include "actors/cluster/wire/connection.hpp"
#include "actors/cluster/wire/transport_module.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

using Promise = caf::typed_response_promise<caf::node_id>;

constexpr std::chrono::seconds handshake_limit{5};

class Dialer {
 public:
  static constexpr const char* name = "dialer";

  ~Dialer() { *is_over_ = true; }

  void init(DialerActor::pointer self) {
    self_ = self;
    log_failures(self);
  }

  caf::result<caf::node_id> connect(const std::string& host, std::uint16_t port) {
    auto found = resolve(host, port);
    if (!found.problem.empty())
      return failure({host, port, {}}, found.problem);
    auto number = ++last_;
    auto promise = self_->make_response_promise<Promise>();
    dials_.emplace(number, Dial{host, port, promise});
    auto& module = transport_of(self_->system());
    module.transport().dial(
        found.addresses, [&module, number, self = caf::actor_cast<DialerActor>(self_),
                          is_over = is_over_](auto dialled) {
          if (*is_over && dialled.connection)
            return dialled.connection->close();
          auto kept = dialled.connection ? module.keep(dialled.connection) : std::string();
          caf::anon_send(self, done_a_v, number, kept, dialled.problem);
        });
    return promise;
  }

  /// The connection operates, and waits under this name; or there is a problem.
  void dialled(std::uint32_t number, const std::string& kept, const std::string& problem) {
    auto dial = dials_.at(number);
    dials_.erase(number);
    if (!problem.empty()) {
      dial.promise.deliver(failure(dial, problem));
      return;
    }
    self_
        ->request(transport_of(self_->system()).middleman(), handshake_limit,
                  caf::connect_atom::value, kept, dial.port)
        .then([dial](const caf::node_id& node, const caf::strong_actor_ptr&,
                     const std::set<std::string>&) mutable { dial.promise.deliver(node); },
              [dial](const caf::error& error) mutable {
                dial.promise.deliver(failure(dial, error == caf::sec::request_timeout
                                                       ? "it did not answer in time"
                                                       : error_text(error)));
              });
  }

 private:
  struct Dial {
    std::string host;
    std::uint16_t port;
    Promise promise;
  };

  static caf::error failure(const Dial& dial, const std::string& why) {
    auto is_ipv6 = dial.host.find(':') != std::string::npos;
    return text_error(ErrorCode::node_lost,
                      fmt::format("node {}{}{}:{} cannot be reached: {}", is_ipv6 ? "[" : "",
                                  dial.host, is_ipv6 ? "]" : "", dial.port, why));
  }

  DialerActor::pointer self_ = nullptr;
  /// Nobody waits for what is being dialled.
  const std::shared_ptr<std::atomic<bool>> is_over_ = std::make_shared<std::atomic<bool>>(false);
  std::uint32_t last_ = 0;
  std::map<std::uint32_t, Dial> dials_;
};

DialerActor::behavior_type dialer(DialerActor::stateful_pointer<Dialer> self) {
  self->state.init(self);
  auto& state = self->state;
  return {[&state](connect_a, const std::string& host, std::uint16_t port) {
            return state.connect(host, port);
          },
          [&state](done_a, std::uint32_t number, const std::string& kept,
                   const std::string& problem) { state.dialled(number, kept, problem); }};
}

}  // namespace

DialerActor spawn_dialer(caf::actor_system& system) {
  return system.spawn<caf::detached>(dialer);
}

}  // namespace flowspec
