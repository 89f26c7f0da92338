#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "actors/cluster/wire/transport_impl.hpp"

namespace flowspec {

namespace {

constexpr std::chrono::seconds connect_limit{3};

}  // namespace

void Transport::Impl::dial(const std::vector<HostAddress>& addresses,
                           std::function<void(Dialled)> done) {
  auto dial = std::make_shared<Dial>(context_.get_executor(), std::move(done));
  asio::post(context_, [this, dial, addresses] { start_dial(dial, addresses); });
}

void Transport::Impl::start_dial(const std::shared_ptr<Dial>& dial,
                                 const std::vector<HostAddress>& addresses) {
  {
    std::lock_guard lock(mutex_);
    if (is_stopped_ || addresses.empty())
      return dial->done(
          {nullptr, is_stopped_ ? "this program is ending" : "the host has no address"});
  }
  dials_.insert(dial);
  dial->open = addresses.size();
  dial->problems.resize(addresses.size(), "no answer in time");
  for (const HostAddress& address : addresses) {
    dial->sockets.emplace_back(context_);
    dial->names.push_back(text_of(endpoint_of(address)));
  }
  dial->limit.expires_after(connect_limit);
  dial->limit.async_wait([this, dial](const error_code& error) {
    if (error || dials_.erase(dial) == 0)
      return;
    auto problem = problem_of(*dial);
    end_dial(*dial);
    dial->done({nullptr, problem});
  });
  for (std::size_t i = 0; i < addresses.size(); ++i)
    dial->sockets[i].async_connect(
        endpoint_of(addresses[i]),
        [this, dial, i](const error_code& error) { on_connected(dial, i, error); });
}

void Transport::Impl::on_connected(const std::shared_ptr<Dial>& dial, std::size_t i,
                                   const error_code& error) {
  if (!dials_.contains(dial))
    return;
  if (error) {
    dial->problems[i] = text_of(error);
    if (--dial->open > 0)
      return;
    dials_.erase(dial);
    end_dial(*dial);
    return dial->done({nullptr, problem_of(*dial)});
  }
  dials_.erase(dial);
  auto socket = std::move(dial->sockets[i]);
  end_dial(*dial);
  // The first of both events is the answer.
  auto answer = std::make_shared<std::function<void(Dialled)>>(std::move(dial->done));
  Connection::Events events;
  events.operating = [this, answer](Connection& connection) {
    when_others_are_sure(connection, [answer, self = connection.shared_from_this()] {
      if (auto done = std::exchange(*answer, nullptr))
        done({self, ""});
    });
  };
  events.closed = [this, answer](Connection& connection, const std::string& why) {
    remove(connection, why);
    if (auto done = std::exchange(*answer, nullptr))
      done({nullptr, why});
  };
  add(std::move(socket), dial->names[i], TlsSide::client, std::move(events))->start();
}

void Transport::Impl::end_dial(Dial& dial) {
  error_code ignored;
  dial.limit.cancel(ignored);
  for (auto& socket : dial.sockets)
    socket.close(ignored);
}

/// The addresses are named only if there are several.
std::string Transport::Impl::problem_of(const Dial& dial) {
  if (dial.problems.size() == 1)
    return dial.problems.front();
  std::string text;
  for (std::size_t i = 0; i < dial.problems.size(); ++i)
    text += fmt::format("{}{}: {}", i == 0 ? "" : "; ", dial.names[i], dial.problems[i]);
  return text;
}

}  // namespace flowspec
