/// The bytes of one answer, without a connection.

#include "runtime/http/reply_queue.hpp"

#include <boost/test/unit_test.hpp>

using namespace flowspec;

namespace {

struct Answer {
  int woken = 0;
  std::shared_ptr<ReplyQueue> queue;
  std::shared_ptr<HttpReply> reply;

  explicit Answer(ReplyShape shape = {}) {
    if (shape.queue_bytes == 0)
      shape.queue_bytes = 1000;
    queue = std::make_shared<ReplyQueue>(std::move(shape), [this] { ++woken; });
    reply = std::make_shared<QueuedReply>(queue);
  }

  /// What is sent, without the head.
  std::string sent() {
    auto bytes = queue->take();
    queue->sent(bytes.size());
    auto end = bytes.find("\r\n\r\n");
    if (!bytes.starts_with("HTTP/") || end == std::string::npos)
      return bytes;
    head += bytes.substr(0, end + 4);
    return bytes.substr(end + 4);
  }
  std::string head;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(reply_queue)

BOOST_AUTO_TEST_CASE(an_answer_is_given_once) {
  Answer answer;
  answer.reply->respond(200, "text/plain", "one");
  answer.reply->respond(500, "text/plain", "two");
  answer.reply->begin_stream("text/plain");
  BOOST_TEST(!answer.reply->write("three"));
  BOOST_TEST(answer.sent() == "one");
  BOOST_TEST(answer.head.starts_with("HTTP/1.1 200 OK\r\n"));
  BOOST_TEST(answer.woken == 1);
  BOOST_TEST(answer.queue->is_complete());
}

BOOST_AUTO_TEST_CASE(a_stream_comes_in_chunks) {
  Answer answer;
  BOOST_TEST(!answer.reply->write("too early"));
  answer.reply->begin_stream("text/event-stream");
  BOOST_TEST(answer.reply->write("a"));
  BOOST_TEST(answer.reply->write(""));  // would be the end
  BOOST_TEST(answer.reply->write("0123456789abcdef"));
  BOOST_TEST(answer.sent() == "1\r\na\r\n10\r\n0123456789abcdef\r\n");
  answer.reply->finish();
  BOOST_TEST(answer.sent() == "0\r\n\r\n");
  BOOST_TEST(answer.queue->keeps_alive());
}

BOOST_AUTO_TEST_CASE(clients_of_http_1_0_get_a_stream_up_to_the_end_of_the_connection) {
  ReplyShape shape;
  shape.is_http_1_0 = true;
  Answer answer(shape);
  answer.reply->begin_stream("text/plain");
  answer.reply->write("abc");
  answer.reply->finish();
  BOOST_TEST(answer.sent() == "abc");
  BOOST_TEST(answer.head.find("Connection: close") != std::string::npos);
  BOOST_TEST(answer.head.find("Transfer-Encoding") == std::string::npos);
  BOOST_TEST(!answer.queue->keeps_alive());
}

BOOST_AUTO_TEST_CASE(head_gets_no_body) {
  ReplyShape shape;
  shape.is_head = true;
  Answer whole(shape);
  whole.reply->respond(200, "text/plain", "abc");
  BOOST_TEST(whole.sent() == "");
  BOOST_TEST(whole.head.find("Content-Length: 3\r\n") != std::string::npos);
  Answer stream(shape);
  stream.reply->begin_stream("text/plain");
  stream.reply->write("abc");
  stream.reply->finish();
  BOOST_TEST(stream.sent() == "");
}

BOOST_AUTO_TEST_CASE(no_more_waits_for_a_client_than_the_limit) {
  Answer answer;
  answer.reply->begin_stream("text/plain");
  answer.sent();
  int drained = 0;
  answer.reply->on_drain([&] { ++drained; });
  BOOST_TEST(answer.reply->write(std::string(10'000, 'x')));  // an empty queue takes anything
  BOOST_TEST(!answer.reply->write("y"));
  auto bytes = answer.queue->take();
  BOOST_TEST(!answer.reply->write("y"));  // taken is not sent
  answer.queue->sent(bytes.size() - 501);
  BOOST_TEST(drained == 0);
  answer.queue->sent(1);
  BOOST_TEST(drained == 1);
  BOOST_TEST(answer.reply->write("y"));
  answer.queue->sent(500);
  BOOST_TEST(drained == 1);
}

BOOST_AUTO_TEST_CASE(who_answers_is_told_once_that_the_client_has_gone) {
  Answer answer;
  int told = 0;
  answer.reply->on_gone([&] { ++told; });
  answer.reply->begin_stream("text/plain");
  BOOST_TEST(!answer.reply->gone());
  BOOST_TEST(answer.queue->cut());
  BOOST_TEST(told == 1);
  answer.queue->cut();
  BOOST_TEST(told == 1);
  BOOST_TEST(answer.reply->gone());
  BOOST_TEST(!answer.reply->write("x"));
  answer.reply->finish();
  BOOST_TEST(answer.queue->take() == "");
  answer.reply->on_gone([&] { ++told; });
  BOOST_TEST(told == 2);
}

BOOST_AUTO_TEST_CASE(the_end_of_the_connection_after_an_answer_is_nobodys_business) {
  Answer answer;
  int told = 0;
  answer.reply->on_gone([&] { ++told; });
  answer.reply->respond(200, "text/plain", "x");
  BOOST_TEST(!answer.queue->cut());
  answer.reply->on_gone([&] { ++told; });
  BOOST_TEST(told == 0);
  BOOST_TEST(!answer.reply->gone());
}

BOOST_AUTO_TEST_CASE(an_answer_that_nobody_gives_any_more_is_an_error) {
  Answer silent;
  silent.reply.reset();
  BOOST_TEST(silent.sent().find("without an answer") != std::string::npos);
  BOOST_TEST(silent.head.starts_with("HTTP/1.1 500"));
  Answer half;
  half.reply->begin_stream("text/plain");
  half.reply->write("abc");
  half.reply.reset();
  BOOST_TEST(half.sent() == "3\r\nabc\r\n");  // without the last chunk
  BOOST_TEST(half.queue->is_complete());
  BOOST_TEST(half.queue->is_broken_off());
  BOOST_TEST(!half.queue->keeps_alive());
}

BOOST_AUTO_TEST_SUITE_END()
