/// Clients that want too much, say nothing, or say nonsense: what they cost is limited, and others are
/// served.

#include <deque>
#include <future>

#include <boost/test/unit_test.hpp>
#include <sys/resource.h>

#include "runtime/http/descriptors.hpp"
#include "tests/support/http_host.hpp"

using namespace flowspec;
using namespace flowspec::test;
using namespace std::chrono_literals;

namespace {

void check_serves(HttpHost& host) {
  auto client = host.client();
  BOOST_TEST(client.ask(request_text("GET", "/hello")).body == "hello");
}

HttpConfig with_limits(HttpLimits limits) {
  HttpConfig config;
  config.limits = limits;
  return config;
}

/// The status of what comes for these bytes; afterwards the connection has to end.
int refused_with(HttpHost& host, const std::string& bytes) {
  auto client = host.client();
  auto answer = client.ask(bytes);
  BOOST_TEST(answer.has("Connection: close\r\n"));
  BOOST_TEST(answer.body.starts_with(R"({"error":{"message":")"), answer.body);
  BOOST_TEST(client.is_closed());
  return answer.status;
}

/// Lets this process open so many descriptors, if it may; returns how many it may.
std::size_t raise_descriptors(std::size_t wanted) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(wanted, limit.rlim_max));
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(http_limits)

BOOST_AUTO_TEST_CASE(nonsense_is_refused_in_words) {
  HttpHost host;
  BOOST_TEST(refused_with(host, "hello\r\n\r\n") == 400);
  BOOST_TEST(refused_with(host, "\x16\x03\x01\x02\r\n\r\n") == 400);
  BOOST_TEST(refused_with(host, "GET / HTTP/3.0\r\n\r\n") == 505);
  BOOST_TEST(refused_with(host, "GET / HTTP/1.1\r\n\r\n") == 400);
  BOOST_TEST(refused_with(host, "GET nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n") == 400);
  BOOST_TEST(refused_with(host, request_text("GET", "/", "", "Transfer-Encoding: gzip\r\n")) ==
             501);
  BOOST_TEST(host.server().counters().requests == 0);
  BOOST_TEST(host.server().counters().requests_refused == 6);
  check_serves(host);
}

BOOST_AUTO_TEST_CASE(giant_heads_are_refused) {
  HttpHost host;
  std::string field = "X: " + std::string(20'000, 'x') + "\r\n";
  BOOST_TEST(refused_with(host, request_text("GET", "/hello", "", field)) == 431);
  BOOST_TEST(refused_with(host, "GET /" + std::string(1'000'000, 'x')) == 431);
  std::string fields;
  for (int i = 0; i < 200; ++i)
    fields += "X: 1\r\n";
  BOOST_TEST(refused_with(host, request_text("GET", "/hello", "", fields)) == 431);
  check_serves(host);
}

BOOST_AUTO_TEST_CASE(giant_bodies_are_refused_before_they_come) {
  HttpHost host;
  BOOST_TEST(
      refused_with(host,
                   "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n") ==
      413);
  std::string chunk = "100000\r\n" + std::string(0x100000, 'x') + "\r\n";
  auto client = host.client();
  auto sending = std::async(std::launch::async, [&] {
    bool is_sent =
        client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 9 && is_sent; ++i)
      is_sent = client.send(chunk);
  });
  BOOST_TEST(client.answer().status == 413);
  sending.get();
  check_serves(host);
}

BOOST_AUTO_TEST_CASE(many_large_bodies_at_once_are_too_many) {
  HttpLimits limits;
  limits.bodies_bytes = 100'000;
  HttpHost host(with_limits(limits));
  std::string head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n";
  auto first = host.client();
  first.send(head + std::string(80'000, 'x'));
  BOOST_TEST(comes_true([&] { return host.server().counters().bytes_received > 80'000; }));
  {
    auto second = host.client();
    BOOST_TEST(second.ask(head + std::string(80'000, 'x')).status == 503);
  }
  BOOST_TEST(first.ask(std::string(10'000, 'x')).body.size() == 90'000);
  auto third = host.client();
  BOOST_TEST(third.ask(head + std::string(90'000, 'x')).body.size() == 90'000);
}

BOOST_AUTO_TEST_CASE(who_is_slow_is_told_so) {
  HttpConfig config;
  config.timeouts.head = 50ms;
  config.timeouts.body = 50ms;
  config.timeouts.idle = 50ms;
  HttpHost host(config);
  auto silent = host.client();
  BOOST_TEST(silent.rest() == "");
  BOOST_TEST(refused_with(host, "GET /hello HTTP/1.1\r\nHost: loc") == 408);
  BOOST_TEST(
      refused_with(host, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab") ==
      408);
  auto idle = host.client();
  BOOST_TEST(idle.ask(request_text("GET", "/hello")).body == "hello");
  BOOST_TEST(idle.rest() == "");
}

BOOST_AUTO_TEST_CASE(a_byte_now_and_then_makes_no_time) {
  HttpConfig config;
  config.timeouts.head = 200ms;
  HttpHost host(config);
  auto client = host.client();
  std::string drop = "GET /hello HTTP/1.1\r\nX: ";
  auto end = std::chrono::steady_clock::now() + 20s;
  while (client.send(drop) && std::chrono::steady_clock::now() < end) {
    drop = "x";
    std::this_thread::sleep_for(10ms);
    if (host.server().counters().connections_open == 0)
      break;
  }
  BOOST_TEST((std::chrono::steady_clock::now() < end));
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_costs_its_queue_and_no_more) {
  HttpConfig config;
  config.limits.queue_bytes = 10'000;
  HttpHost host(config);
  HttpClient client(host.server().port(), 4096);
  client.send(request_text("GET", "/wait"));
  auto reply = host.next();
  Event drained;
  reply->on_drain([&] { drained.happen(); });
  reply->begin_stream("text/plain");
  // What the system keeps for both sides is full at some time, and so is the queue.
  std::string chunk(1000, 'x');
  std::size_t written = 0;
  auto is_full = [&] {
    while (reply->write(chunk))
      written += chunk.size();
    auto before = host.server().counters().bytes_sent;
    std::this_thread::sleep_for(100ms);
    return host.server().counters().bytes_sent == before && !reply->write(chunk);
  };
  BOOST_TEST(comes_true(is_full));
  BOOST_TEST(written < 4'000'000);
  check_serves(host);
  auto counted = drained.count();
  std::string all;
  while (all.size() < written)
    all += client.receive();
  BOOST_TEST(comes_true([&] { return drained.count() > counted; }));
  BOOST_TEST(reply->write(chunk));
}

BOOST_AUTO_TEST_CASE(a_client_that_never_reads_is_given_up) {
  HttpConfig config;
  config.timeouts.write = 100ms;
  HttpHost host(config);
  HttpClient client(host.server().port(), 4096);
  client.send(request_text("GET", "/wait"));
  auto reply = host.next();
  Event gone;
  reply->on_gone([&] { gone.happen(); });
  reply->begin_stream("text/plain");
  reply->write(std::string(8'000'000, 'x'));
  BOOST_TEST(gone.wait());
}

BOOST_AUTO_TEST_CASE(more_connections_than_allowed_are_told_so) {
  HttpLimits limits;
  limits.connections = 3;
  HttpHost host(with_limits(limits));
  std::vector<HttpClient> kept;
  for (int i = 0; i < 3; ++i) {
    kept.push_back(host.client());
    BOOST_TEST(kept.back().ask(request_text("GET", "/hello")).status == 200);
  }
  {
    auto late = host.client();
    auto answer = late.ask(request_text("GET", "/hello"));
    BOOST_TEST(answer.status == 503);
    BOOST_TEST(answer.has("Retry-After: 1\r\n"));
  }
  BOOST_TEST(host.server().counters().connections_refused == 1);
  kept.pop_back();
  BOOST_TEST(comes_true([&] { return host.server().counters().connections_open == 2; }));
  check_serves(host);
}

BOOST_AUTO_TEST_CASE(one_address_does_not_take_all_connections) {
  HttpLimits limits;
  limits.connections_per_address = 2;
  HttpHost host(with_limits(limits));
  auto first = host.client();
  auto second = host.client();
  first.ask(request_text("GET", "/hello"));
  second.ask(request_text("GET", "/hello"));
  auto third = host.client();
  BOOST_TEST(third.ask(request_text("GET", "/hello")).status == 503);
  BOOST_TEST(first.ask(request_text("GET", "/hello")).status == 200);
}

BOOST_AUTO_TEST_CASE(thousands_of_silent_connections_keep_nobody_waiting) {
  constexpr std::size_t wanted = 5000;
  auto descriptors = raise_descriptors(2 * wanted + 500);
  auto count = std::min(wanted, (descriptors - 300) / 2);
  HttpLimits limits;
  limits.connections = wanted / 2;
  HttpConfig config = with_limits(limits);
  config.timeouts.head = 60s;
  HttpHost host(config);
  std::deque<HttpClient> silent;
  for (std::size_t i = 0; i < std::min(count, limits.connections - 10); ++i)
    silent.push_back(host.client());
  check_serves(host);
  // And beyond what is allowed, too.
  while (silent.size() < count)
    silent.push_back(host.client());
  BOOST_TEST(host.server().counters().connections_open <= limits.connections);
  for (auto half = silent.size() / 2; silent.size() > half;)
    silent.pop_front();
  BOOST_TEST(
      comes_true([&] { return host.server().counters().connections_open < limits.connections; }));
  check_serves(host);
}

BOOST_AUTO_TEST_CASE(no_more_connections_are_taken_than_there_are_descriptors_for) {
  rlimit limit{};
  BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  auto room = room_for_connections(1'000'000'000);
  BOOST_TEST(room >= 1);
  BOOST_TEST((limit.rlim_max == RLIM_INFINITY || room < limit.rlim_max));
  BOOST_TEST(room_for_connections(1) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
