/// The server over sockets: requests in their order, streams, clients that go, the end.

#include <future>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "runtime/console/error.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/http_host.hpp"

using namespace flowspec;
using namespace flowspec::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(http)

BOOST_AUTO_TEST_CASE(a_request_gets_its_answer) {
  HttpHost host;
  auto client = host.client();
  auto answer = client.ask(request_text("GET", "/hello"));
  BOOST_TEST(answer.status == 200);
  BOOST_TEST(answer.body == "hello");
  BOOST_TEST(answer.has("Content-Type: text/plain\r\n"));
  BOOST_TEST(answer.has("Content-Length: 5\r\n"));
  BOOST_TEST(answer.has("Date: "));
}

BOOST_AUTO_TEST_CASE(a_connection_is_used_again) {
  HttpHost host;
  auto client = host.client();
  for (int i = 0; i < 100; ++i)
    BOOST_TEST(client.ask(request_text("POST", "/echo", std::to_string(i))).body ==
               std::to_string(i));
  BOOST_TEST(host.server().counters().connections == 1);
  BOOST_TEST(host.server().counters().requests == 100);
  auto last = client.ask(request_text("GET", "/hello", "", "Connection: close\r\n"));
  BOOST_TEST(last.has("Connection: close\r\n"));
  BOOST_TEST(client.rest() == "");
}

BOOST_AUTO_TEST_CASE(a_large_body_goes_both_ways) {
  HttpHost host;
  auto client = host.client();
  std::string body(5'000'000, 'x');
  for (std::size_t i = 0; i < body.size(); i += 7)
    body[i] = static_cast<char>('a' + i % 26);
  std::thread sender([&] { client.send(request_text("POST", "/echo", body)); });
  BOOST_CHECK(client.answer().body == body);
  sender.join();
}

BOOST_AUTO_TEST_CASE(requests_sent_at_once_are_answered_in_their_order_one_at_a_time) {
  HttpHost host;
  auto client = host.client();
  client.send(request_text("GET", "/first") + request_text("GET", "/hello") +
              request_text("POST", "/echo", "abc") + request_text("GET", "/last"));
  auto first = host.next();
  BOOST_TEST(host.server().counters().requests == 1);
  first->respond(200, "text/plain", "first");
  BOOST_TEST(client.answer().body == "first");
  BOOST_TEST(client.answer().body == "hello");
  BOOST_TEST(client.answer().body == "abc");
  host.next()->respond(200, "text/plain", "last");
  BOOST_TEST(client.answer().body == "last");
}

BOOST_AUTO_TEST_CASE(more_requests_at_once_than_are_kept_are_answered_all_the_same) {
  HttpHost host;
  auto client = host.client();
  constexpr int count = 5000;  // 200 kB
  std::string all = request_text("GET", "/wait");
  for (int i = 0; i < count; ++i)
    all += request_text("GET", "/hello");
  auto sending = std::async(std::launch::async, [&] { return client.send(all); });
  host.next()->respond(200, "text/plain", "waited");
  BOOST_TEST(client.answer().body == "waited");
  for (int i = 0; i < count; ++i)
    BOOST_REQUIRE(client.answer().body == "hello");
  BOOST_TEST(sending.get());
}

BOOST_AUTO_TEST_CASE(a_stream_comes_as_it_is_written) {
  HttpHost host;
  auto client = host.client();
  client.send(request_text("GET", "/events"));
  auto reply = host.next();
  reply->begin_stream("text/event-stream");
  BOOST_TEST(reply->write("data: 1\n\n"));
  client.read_until("data: 1\n\n\r\n");
  BOOST_TEST(reply->write("data: 2\n\n"));
  BOOST_TEST(client.read_until("data: 2\n\n\r\n") == "9\r\ndata: 2\n\n\r\n");
  reply->finish();
  BOOST_TEST(client.read_until("0\r\n\r\n") == "0\r\n\r\n");
  auto next = client.ask(request_text("GET", "/stream"));
  BOOST_TEST(next.body == "one two three");
  BOOST_TEST(next.has("Cache-Control: no-store\r\n"));
}

BOOST_AUTO_TEST_CASE(clients_of_http_1_0_are_served) {
  HttpHost host;
  auto once = host.client();
  auto answer = once.ask("GET /hello HTTP/1.0\r\n\r\n");
  BOOST_TEST(answer.body == "hello");
  BOOST_TEST(answer.has("Connection: close\r\n"));
  BOOST_TEST(once.rest() == "");
  auto kept = host.client();
  answer = kept.ask("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  BOOST_TEST(answer.has("Connection: keep-alive\r\n"));
  answer = kept.ask("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  BOOST_TEST(answer.body == "one two three");
  BOOST_TEST(!answer.has("chunked"));
}

BOOST_AUTO_TEST_CASE(head_is_get_without_the_body) {
  HttpHost host;
  auto client = host.client();
  client.send(request_text("HEAD", "/hello"));
  BOOST_TEST(client.answer(true).has("Content-Length: 5\r\n"));
  client.send(request_text("HEAD", "/stream"));
  BOOST_TEST(client.answer(true).status == 200);
  BOOST_TEST(client.ask(request_text("GET", "/hello")).body == "hello");
}

BOOST_AUTO_TEST_CASE(who_asks_first_is_told_that_the_body_is_welcome) {
  HttpConfig config;
  config.limits.body_bytes = 100;
  HttpHost host(config);
  auto client = host.client();
  auto head = [](int length) {
    return "POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: " +
           std::to_string(length) + "\r\n\r\n";
  };
  client.send(head(3));
  BOOST_TEST(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  BOOST_TEST(client.ask("abc").body == "abc");
  // Nor is a body sent in vain.
  BOOST_TEST(client.ask(head(101)).status == 413);
}

BOOST_AUTO_TEST_CASE(chunked_bodies_are_read) {
  HttpHost host;
  auto client = host.client();
  client.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  BOOST_TEST(client.ask("2\r\nde\r\n0\r\n\r\n").body == "abcde");
  BOOST_TEST(client.ask(request_text("GET", "/hello")).body == "hello");
}

BOOST_AUTO_TEST_CASE(requests_can_be_refused_before_their_body) {
  HttpHost host({}, [](const HttpRequest& request) -> std::optional<HttpAnswer> {
    if (request.field("Authorization") == "Bearer right")
      return std::nullopt;
    return HttpAnswer{401, "application/json", "{}", {{"WWW-Authenticate", "Bearer"}}};
  });
  auto stranger = host.client();
  auto answer =
      stranger.ask("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n");
  BOOST_TEST(answer.status == 401);
  BOOST_TEST(answer.has("WWW-Authenticate: Bearer\r\n"));
  auto friendly = host.client();
  BOOST_TEST(
      friendly.ask(request_text("POST", "/echo", "abc", "Authorization: Bearer right\r\n")).body ==
      "abc");
}

BOOST_AUTO_TEST_CASE(a_handler_that_fails_is_an_error_of_the_server) {
  HttpHost host;
  auto client = host.client();
  BOOST_TEST(client.ask(request_text("GET", "/throw")).status == 500);
  auto dropped = client.ask(request_text("GET", "/drop"));
  BOOST_TEST(dropped.status == 500);
  BOOST_TEST(dropped.body.starts_with(R"({"error":{"message":")"));
  BOOST_TEST(client.ask(request_text("GET", "/hello")).body == "hello");
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_broken_off_does_not_look_complete) {
  HttpHost host;
  for (const char* version : {"1.1", "1.0"}) {
    auto client = host.client();
    client.send(std::string("GET /wait HTTP/") + version + "\r\nHost: localhost\r\n\r\n");
    auto reply = host.next();
    reply->begin_stream("text/plain");
    reply->write("abc");
    client.read_until("abc");
    reply.reset();
    BOOST_TEST(client.is_closed());
  }
}

BOOST_AUTO_TEST_CASE(a_client_that_goes_away_is_noticed) {
  HttpHost host;
  enum class Way { close, reset, end_sending, in_stream, with_requests_waiting, with_many_waiting };
  for (Way way : {Way::close, Way::reset, Way::end_sending, Way::in_stream,
                  Way::with_requests_waiting, Way::with_many_waiting}) {
    BOOST_TEST_CONTEXT(static_cast<int>(way)) {
      auto gone = std::make_shared<Event>();
      std::shared_ptr<HttpReply> reply;
      {
        auto client = host.client();
        client.send(request_text("GET", "/wait"));
        reply = host.next();
        reply->on_gone([gone] { gone->happen(); });
        if (way == Way::reset)
          client.reset();
        if (way == Way::end_sending) {
          client.end_sending();
          BOOST_TEST(gone->wait());
        }
        if (way == Way::in_stream) {
          reply->begin_stream("text/plain");
          reply->write("abc");
          client.read_until("abc");
        }
        if (way == Way::with_requests_waiting)
          client.send(request_text("GET", "/hello"));
        if (way == Way::with_many_waiting)
          client.send(request_text("POST", "/echo", std::string(40'000, 'x')));
      }
      BOOST_TEST(gone->wait());
      BOOST_TEST(gone->count() == 1);
      BOOST_TEST(reply->gone());
      BOOST_TEST(!reply->write("x"));
    }
  }
  BOOST_TEST(comes_true([&] { return host.server().counters().connections_open == 0; }));
  BOOST_TEST(host.server().counters().clients_gone == 6);
}

BOOST_AUTO_TEST_CASE(who_ends_its_side_after_the_answer_is_complete_gets_it) {
  HttpHost host;
  auto client = host.client();
  client.send(request_text("GET", "/hello") + request_text("GET", "/stream"));
  client.end_sending();
  BOOST_TEST(client.answer().body == "hello");
  BOOST_TEST(client.answer().body == "one two three");
  BOOST_TEST(client.is_closed());
}

BOOST_AUTO_TEST_CASE(answers_come_from_any_thread) {
  HttpHost host;
  std::vector<HttpClient> clients;
  std::vector<std::thread> threads;
  for (int i = 0; i < 32; ++i) {
    clients.push_back(host.client());
    clients.back().send(request_text("GET", "/wait"));
    threads.emplace_back([reply = host.next()] {
      reply->begin_stream("text/plain");
      for (int piece = 0; piece < 200; ++piece)
        while (!reply->write(std::to_string(piece) + " "))
          std::this_thread::yield();
      reply->finish();
    });
  }
  std::string expected;
  for (int piece = 0; piece < 200; ++piece)
    expected += std::to_string(piece) + " ";
  for (auto& client : clients)
    BOOST_TEST(client.answer().body == expected);
  for (auto& thread : threads)
    thread.join();
}

BOOST_AUTO_TEST_CASE(at_the_end_answers_get_their_time_and_nobody_else_is_let_in) {
  HttpHost host;
  auto idle = host.client();
  idle.ask(request_text("GET", "/hello"));
  auto half = host.client();
  half.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
  auto busy = host.client();
  busy.send(request_text("GET", "/wait"));
  auto reply = host.next();
  reply->begin_stream("text/plain");
  reply->write("begun ");
  busy.read_until("begun ");
  auto end = std::async(std::launch::async, [&] { host.server().stop(20s); });
  BOOST_TEST(idle.rest() == "");
  BOOST_TEST(half.rest() == "");
  BOOST_TEST(!reply->gone());
  reply->write("ended");
  reply->finish();
  busy.read_until("ended\r\n0\r\n\r\n");
  end.get();
  BOOST_TEST(busy.rest() == "");
  BOOST_TEST(host.server().counters().connections_open == 0);
}

BOOST_AUTO_TEST_CASE(who_does_not_end_in_time_is_cut_off) {
  HttpHost host;
  auto client = host.client();
  client.send(request_text("GET", "/wait"));
  auto reply = host.next();
  Event gone;
  reply->on_gone([&] { gone.happen(); });
  host.server().stop(20ms);
  BOOST_TEST(gone.count() == 1);
  BOOST_TEST(client.is_closed());
  reply->respond(200, "text/plain", "too late");
}

BOOST_AUTO_TEST_CASE(pages_of_allowed_origins_may_ask) {
  HttpConfig config;
  config.allowed_origins = {"https://chat.example"};
  HttpHost host(config, [](const HttpRequest&) { return HttpAnswer{401, "", "", {}}; });
  auto client = host.client();
  auto answer = client.ask(
      request_text("OPTIONS", "/echo", "",
                   "Origin: https://chat.example\r\nAccess-Control-Request-Method: POST\r\n"));
  BOOST_TEST(answer.status == 204);
  BOOST_TEST(answer.has("Access-Control-Allow-Origin: https://chat.example\r\n"));
  // A page may read why it was refused.
  answer = client.ask(request_text("POST", "/echo", "x", "Origin: https://chat.example\r\n"));
  BOOST_TEST(answer.status == 401);
  BOOST_TEST(answer.has("Access-Control-Allow-Origin: https://chat.example\r\n"));
}

BOOST_AUTO_TEST_CASE(strange_names_are_refused_on_loopback) {
  HttpHost host;
  BOOST_TEST(host.server().is_local());
  auto client = host.client();
  BOOST_TEST(client.ask("GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n").status == 403);
}

BOOST_AUTO_TEST_CASE(an_address_that_cannot_be_had_is_told) {
  HttpHost host;
  HttpConfig config;
  config.addresses = {{"127.0.0.1", host.server().port()}};
  check_throws<RuntimeError>([&] { HttpHost again(config); },
                             {"cannot listen on 127.0.0.1:", "already in use"});
  config.addresses = {{"203.0.113.1", 0}};
  check_throws<RuntimeError>([&] { HttpHost elsewhere(config); },
                             {"cannot listen on 203.0.113.1:0"});
}

BOOST_AUTO_TEST_SUITE_END()
