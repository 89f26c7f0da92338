#include "actors/cluster/wire/direct_proxy.hpp"

#include <algorithm>
#include <cstring>

#include <caf/actor_registry.hpp>
#include <caf/all.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/detail/sync_request_bouncer.hpp>
#include <caf/scoped_execution_unit.hpp>
#include <spdlog/spdlog.h>

#include "actors/cluster/wire/basp.hpp"
#include "actors/cluster/wire/connection.hpp"

namespace flowspec {

void Routes::add(const caf::node_id& node, const std::shared_ptr<Connection>& connection) {
  std::lock_guard lock(mutex_);
  connections_[node].push_back(connection);
}

bool Routes::remove(const caf::node_id& node, const Connection* connection) {
  std::lock_guard lock(mutex_);
  auto found = connections_.find(node);
  if (found == connections_.end())
    return true;
  std::erase_if(found->second, [&](const auto& entry) { return entry.get() == connection; });
  if (!found->second.empty())
    return false;
  connections_.erase(found);
  return true;
}

std::shared_ptr<Connection> Routes::find(const caf::node_id& node) const {
  std::shared_lock lock(mutex_);
  auto found = connections_.find(node);
  if (found == connections_.end())
    return nullptr;
  auto open = std::ranges::find_if(found->second, &Connection::takes_frames);
  return open == found->second.end() ? nullptr : *open;
}

void OpenRequests::add(const caf::node_id& node, const caf::actor_addr& sender,
                       caf::message_id id) {
  std::lock_guard lock(mutex_);
  auto& requests = nodes_[node];
  requests[{sender.id(), id.request_id().integer_value()}] = {sender, id};
  if (requests.size() > most_open_requests)
    requests.erase(requests.begin());
}

void OpenRequests::remove(const caf::node_id& node, caf::actor_id sender,
                          caf::message_id response) {
  std::lock_guard lock(mutex_);
  auto found = nodes_.find(node);
  if (found == nodes_.end())
    return;
  found->second.erase({sender, response.request_id().integer_value()});
  if (found->second.empty())
    nodes_.erase(found);
}

void OpenRequests::fail(const caf::node_id& node, const caf::error& reason) {
  Requests requests;
  {
    std::lock_guard lock(mutex_);
    auto taken = nodes_.extract(node);
    if (!taken.empty())
      requests = std::move(taken.mapped());
  }
  for (const auto& [key, request] : requests)
    if (auto sender = caf::actor_cast<caf::strong_actor_ptr>(request.sender))
      caf::detail::sync_request_bouncer{reason}(sender, request.id);
}

void DirectProxy::enqueue(caf::mailbox_element_ptr what, caf::execution_unit* context) {
  if (is_dead_) {
    // CAF would leave whoever asks without an answer.
    if (what->mid.is_request() && what->sender)
      caf::detail::sync_request_bouncer{caf::exit_reason::remote_link_unreachable}(what->sender,
                                                                                   what->mid);
    return;
  }
  if (!send(*what))
    forwarding_actor_proxy::enqueue(std::move(what), context);
}

/// False if the message has to take the way through the broker.
bool DirectProxy::send(caf::mailbox_element& what) {
  auto& system = home_system();
  bool is_ours = !what.sender || what.sender->node() == system.node();
  // Exit messages also end links.
  if (!is_ours || !what.stages.empty() || what.content().match_elements<caf::exit_msg>())
    return false;
  auto connection = messaging_->routes.find(node());
  if (!connection)
    return false;
  if (what.sender)
    system.registry().put(what.sender->id(), what.sender);
  caf::scoped_execution_unit unit(&system);
  auto frame = connection->buffer();
  caf::binary_serializer sink(&unit, frame);
  sink.skip(BaspHeader::size);
  auto message = what.move_content_to_message();
  if (auto error = sink(what.stages, message)) {
    spdlog::error("a message cannot be written: {}", caf::to_string(message));
    return true;
  }
  BaspHeader header;
  header.operation = BaspOperation::direct_message;
  header.payload_size = static_cast<std::uint32_t>(frame.size() - BaspHeader::size);
  header.data = what.mid.integer_value();
  header.source = what.sender ? what.sender->id() : caf::invalid_actor_id;
  header.receiver = id();
  if (what.sender && what.mid.is_request())
    messaging_->requests.add(node(), caf::actor_cast<caf::actor_addr>(what.sender), what.mid);
  auto bytes = write_basp_header(header);
  std::ranges::copy(bytes, frame.begin());
  connection->send(std::move(frame));
  // If it was lost meanwhile, nobody else fails a request that was noted too late.
  if (!connection->takes_frames() && !messaging_->routes.find(node()))
    messaging_->requests.fail(node(), caf::exit_reason::remote_link_unreachable);
  return true;
}

void DirectProxy::kill_proxy(caf::execution_unit* context, caf::error reason) {
  is_dead_ = true;
  forwarding_actor_proxy::kill_proxy(context, std::move(reason));
}

bool deliver(caf::actor_system& system, caf::proxy_registry& proxies, OpenRequests& requests,
             const caf::node_id& peer, const std::vector<char>& frame) {
  auto bytes = bytes_of({frame.data(), frame.size()});
  auto header = read_basp_header(bytes);
  if (!header || header->operation != BaspOperation::direct_message || header->flags != 0)
    return false;
  caf::message_id id{header->data};  // make_message_id would lose the priority
  if (id.is_response())
    requests.remove(peer, header->receiver, id);
  auto receiver = system.registry().get(static_cast<caf::actor_id>(header->receiver));
  if (!receiver && !id.is_request())
    return true;
  caf::scoped_execution_unit unit(&system);
  unit.proxy_registry_ptr(&proxies);
  caf::strong_actor_ptr sender;
  if (header->source != caf::invalid_actor_id)
    sender = proxies.get_or_put(peer, header->source);
  if (!receiver) {
    caf::detail::sync_request_bouncer{caf::exit_reason::remote_link_unreachable}(sender, id);
    return true;
  }
  auto payload = bytes.subspan(BaspHeader::size);
  caf::binary_deserializer source(
      &unit, caf::make_span(reinterpret_cast<const caf::byte*>(payload.data()), payload.size()));
  std::vector<caf::strong_actor_ptr> stages;
  caf::message message;
  if (auto error = source(stages, message)) {
    spdlog::warn("a message cannot be read");
    return true;
  }
  receiver->enqueue(
      caf::make_mailbox_element(std::move(sender), id, std::move(stages), std::move(message)),
      nullptr);
  return true;
}

}  // namespace flowspec
