#include "actors/cluster/dialer.hpp"

#include <set>

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <caf/openssl/manager.hpp>
#include <fmt/format.h>

#include "actors/cluster/tcp_probe.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

using Promise = caf::typed_response_promise<caf::node_id>;

constexpr std::chrono::seconds probe_limit{3};
constexpr std::chrono::seconds connect_limit{5};
/// With heartbeats on, CAF 0.17 sometimes takes a new connection for a silent one and closes it.
constexpr int attempts = 3;

std::string explain(const caf::error& error) {
  if (error == caf::sec::incompatible_application_ids || error == caf::sec::incompatible_versions)
    return fmt::format("it speaks another protocol version than this program ({})",
                       protocol_version);
  if (error == caf::sec::disconnect_during_handshake)
    return "it hung up during the handshake; with TLS, one side did not accept the other's "
           "certificate";
  if (error == caf::sec::cannot_connect_to_node)
    return "it does not answer as a flowspec-node (or only one side uses TLS)";
  if (error == caf::sec::connection_timeout || error == caf::sec::request_timeout)
    return "it did not answer in time";
  return error_text(error);
}

class Dialer {
 public:
  static constexpr const char* name = "dialer";

  void init(DialerActor::pointer self) {
    self_ = self;
    log_failures(self);
    auto& system = self->system();
    uses_tls_ = system.has_openssl_manager();
    connector_ =
        uses_tls_ ? system.openssl_manager().actor_handle() : system.middleman().actor_handle();
  }

  caf::result<caf::node_id> connect(const std::string& host, std::uint16_t port) {
    auto host_addresses = resolve(host, port);
    if (!host_addresses.problem.empty())
      return failure(host, port, host_addresses.problem);
    auto probe = probe_tcp(host_addresses.addresses, probe_limit, !uses_tls_);
    if (!probe.problem.empty())
      return failure(host, port, probe.problem);
    auto promise = self_->make_response_promise<Promise>();
    // CAF gets the address that answered: given the host, it would look it up again, without a
    // limit.
    dial(host, probe.address, port, attempts, promise);
    return promise;
  }

 private:
  static caf::error failure(const std::string& host, std::uint16_t port, const std::string& why) {
    auto is_ipv6 = host.find(':') != std::string::npos;
    return text_error(ErrorCode::node_lost,
                      fmt::format("node {}{}{}:{} cannot be reached: {}", is_ipv6 ? "[" : "", host,
                                  is_ipv6 ? "]" : "", port, why));
  }

  void dial(const std::string& host, const std::string& address, std::uint16_t port,
            int attempts_left, Promise promise) {
    self_->request(connector_, connect_limit, caf::connect_atom::value, address, port)
        .then(
            [=, this](const caf::node_id& node, const caf::strong_actor_ptr&,
                      const std::set<std::string>&) mutable {
              if (node == self_->system().node())
                promise.deliver(failure(host, port, "it has the identity of this very process"));
              else
                promise.deliver(node);
            },
            [=, this](const caf::error& error) mutable {
              if (error == caf::sec::connection_timeout && attempts_left > 1)
                dial(host, address, port, attempts_left - 1, promise);
              else
                promise.deliver(failure(host, port, explain(error)));
            });
  }

  DialerActor::pointer self_ = nullptr;
  bool uses_tls_ = false;
  caf::io::middleman_actor connector_;
};

DialerActor::behavior_type dialer(DialerActor::stateful_pointer<Dialer> self) {
  self->state.init(self);
  auto& state = self->state;
  return {[&state](connect_a, const std::string& host, std::uint16_t port) {
    return state.connect(host, port);
  }};
}

}  // namespace

DialerActor spawn_dialer(caf::actor_system& system) {
  return system.spawn<caf::detached>(dialer);
}

}  // namespace flowspec
