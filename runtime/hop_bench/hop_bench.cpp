#include "runtime/hop_bench/hop_bench.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <ostream>

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/rand.h>

#include "actors/cluster/dialer.hpp"
#include "actors/cluster/node_agent.hpp"
#include "actors/cluster/wire/transport_module.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/type_ids.hpp"
#include "messages/types.hpp"
#include "runtime/bench/output_file.hpp"
#include "runtime/cluster/ask.hpp"
#include "runtime/cluster/system_config.hpp"
#include "runtime/console/text_table.hpp"
#include "runtime/hop_bench/echo.hpp"
#include "runtime/hop_bench/relay.hpp"

namespace flowspec {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr std::array<std::size_t, 7> sizes{64,        4 << 10, 16 << 10, 64 << 10,
                                           128 << 10, 1 << 20, 4 << 20};
constexpr std::size_t most_bytes = std::size_t{256} << 20;  // of all trips of one size
constexpr std::size_t large_segment = 4 << 20;
constexpr std::uint64_t slow_link = 100'000'000 / 8;
constexpr int slow_repeats = 10;
constexpr std::chrono::seconds patience{20};

/// When the control message came that overtook a segment.
std::atomic<Clock::rep> control_came{0};

/// Says hello to its owner, and sends everything back.
void echo_to(caf::event_based_actor* self, const caf::actor& owner) {
  self->send(owner, PrunesMessage{Prunes{}});
  self->become([=](const SegmentMessage& message) { self->send(owner, message); },
               [=](const PrunesMessage& message) {
                 control_came = Clock::now().time_since_epoch().count();
                 self->send<caf::message_priority::high>(owner, message);
               });
}

/// An actor system with the wire. Its agent has an echo made for the owner, on a thread of its own.
class Side {
 public:
  explicit Side(const std::shared_ptr<const TlsContext>& tls) : config_(make_config(tls)) {}
  caf::actor_system& system() { return system_; }

 private:
  static std::unique_ptr<SystemConfig> make_config(const std::shared_ptr<const TlsContext>& tls) {
    auto config = std::make_unique<SystemConfig>();
    config->load<caf::io::middleman>();
    TransportOptions options;
    options.tls = tls;
    options.greeting.name = "hop";
    load_transport(*config, options);
    config->add_actor_type(
        node_agent_name, [](caf::event_based_actor* self, caf::actor owner) -> caf::behavior {
          auto echo = self->spawn<caf::detached + caf::linked>(echo_to, std::move(owner));
          return {[](hello_a) { return caf::unit; }};
        });
    return config;
  }

  std::unique_ptr<SystemConfig> config_;
  caf::actor_system system_{*config_};
};

std::shared_ptr<const TlsContext> random_tls() {
  Secret secret;
  RAND_bytes(reinterpret_cast<unsigned char*>(secret.key.data()), secret.key.size());
  secret.identity = "hop";
  return std::make_shared<TlsContext>(secret);
}

SegmentMessage segment_of(std::size_t bytes) {
  Segment segment;
  auto columns = static_cast<std::uint32_t>(std::min<std::size_t>(bytes / sizeof(float), 4096));
  if (columns > 16) {
    auto rows = static_cast<std::uint32_t>(bytes / sizeof(float) / columns);
    auto values = std::make_shared<std::vector<float>>(std::size_t{rows} * columns, 0.5F);
    segment.hidden = {rows, columns, *values, values};
  }
  return SegmentMessage{segment};
}

/// The echo of another process, as its owner sees it.
class Owner {
 public:
  Owner(Side& near, std::uint16_t port) : self_(near.system()) {
    auto dialer = spawn_dialer(near.system());
    auto node = ask<caf::node_id>(self_, dialer, patience, connect_a_v, "127.0.0.1", port);
    end_actor(dialer);
    auto agent = near.system().middleman().remote_spawn<caf::actor>(
        node, node_agent_name, caf::make_message(caf::actor_cast<caf::actor>(self_)),
        caf::duration{patience});
    if (!agent)
      throw RuntimeError("the other side makes no echo: " + error_text(agent.error()));
    agent_ = *agent;
    self_->receive(
        [&](const PrunesMessage&) { echo_ = caf::actor_cast<caf::actor>(self_->current_sender()); },
        caf::after(patience) >> [] { throw RuntimeError("the echo says nothing"); });
  }
  ~Owner() { end_actor(agent_); }

  /// Seconds.
  double trip(const SegmentMessage& segment) {
    auto start = Clock::now();
    self_->send(echo_, segment);
    receive_segment();
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  /// Seconds until the control message has come that is sent behind the segment.
  double overtake(const SegmentMessage& segment) {
    control_came = 0;
    self_->send(echo_, segment);
    auto start = Clock::now();
    self_->send<caf::message_priority::high>(echo_, PrunesMessage{Prunes{}});
    bool has_come = false;
    self_->receive([&](const PrunesMessage&) { has_come = true; }, caf::after(patience) >> [] {});
    if (!has_come)
      throw RuntimeError("the control message has not come");
    auto came = Clock::time_point(Clock::duration(control_came.load()));
    receive_segment();
    return std::chrono::duration<double>(came - start).count();
  }

 private:
  void receive_segment() {
    bool has_come = false;
    self_->receive([&](const SegmentMessage&) { has_come = true; }, caf::after(patience) >> [] {});
    if (!has_come)
      throw RuntimeError("the echo does not answer");
  }

  caf::scoped_actor self_;
  caf::actor agent_;
  caf::actor echo_;
};

double median(std::vector<double> values) {
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

struct SizeTimes {
  std::size_t bytes;
  /// Microseconds, one way.
  double tcp;
  double tls;
  double hop;
};

std::string size_text(std::size_t bytes) {
  if (bytes < 1024)
    return fmt::format("{} B", bytes);
  return bytes < (1 << 20) ? fmt::format("{} KiB", bytes >> 10U)
                           : fmt::format("{} MiB", bytes >> 20U);
}

std::uint16_t open(Side& side) {
  caf::scoped_actor self(side.system());
  return ask<std::uint16_t>(self, transport_of(side.system()).middleman(), patience,
                            caf::open_atom::value, std::uint16_t{0}, std::string("127.0.0.1"),
                            true);
}

}  // namespace

ExitCode run_hop_bench(const HopBenchOptions& options, std::ostream& out) {
  const OutputFile json_file("--json", options.json_file);
  auto tls = random_tls();
  Side far(tls);
  auto port = open(far);
  std::vector<SizeTimes> times;
  {
    Side near(tls);
    Owner owner(near, port);
    for (auto bytes : sizes) {
      auto repeats = std::clamp<std::size_t>(most_bytes / bytes, 5, options.repeats);
      auto segment = segment_of(bytes);
      std::vector<double> trips;
      auto warm_up = warm_up_of(repeats);
      for (std::size_t i = 0; i < warm_up + repeats; ++i)
        if (auto trip = owner.trip(segment); i >= warm_up)
          trips.push_back(trip);
      auto one_way = [](const std::vector<double>& all) { return 1e6 * median(all) / 2; };
      times.push_back({bytes, one_way(echo_tcp(bytes, repeats)),
                       one_way(echo_tls(*tls, bytes, repeats)), one_way(trips)});
    }
  }
  std::vector<double> waits;
  {
    Relay link(port, {.bytes_per_s = slow_link});
    Side near(tls);
    Owner owner(near, link.port());
    auto segment = segment_of(large_segment);
    owner.overtake(segment);  // the connection learns how slow the link is
    for (int i = 0; i < slow_repeats; ++i)
      waits.push_back(1e3 * owner.overtake(segment));
  }
  TextTable table(
      {"one way, 127.0.0.1\n(microseconds)", "\nTCP", "\nTLS", "\nmessage", "message\nover TLS"});
  for (const SizeTimes& time : times)
    table.add({size_text(time.bytes), fmt::format("{:.1f}", time.tcp),
               fmt::format("{:.1f}", time.tls), fmt::format("{:.1f}", time.hop),
               fmt::format("{:.2f}", time.hop / time.tls)});
  auto worst = *std::ranges::max_element(waits);
  out << table.text()
      << fmt::format(
             "\nBehind a segment of {} on a link of 100 Mb/s a control message takes {:.1f} ms (at "
             "most {:.1f});\nthe segment takes {:.0f} ms.\n",
             size_text(large_segment), median(waits), worst,
             1e3 * static_cast<double>(large_segment) / static_cast<double>(slow_link));
  nlohmann::ordered_json json;
  for (const SizeTimes& time : times)
    json["one_way_us"].push_back(
        {{"bytes", time.bytes}, {"tcp", time.tcp}, {"tls", time.tls}, {"message", time.hop}});
  json["control_behind_segment_ms"] = waits;
  json_file.write(json.dump(2) + "\n");
  return ExitCode::ok;
}

}  // namespace flowspec
