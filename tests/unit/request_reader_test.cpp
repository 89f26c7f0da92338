/// Requests as bytes: what is read, and what is refused, however the bytes come.

#include "runtime/http/request_reader.hpp"

#include <boost/test/unit_test.hpp>

using namespace flowspec;

namespace {

using State = RequestReader::State;

HttpLimits small_limits() {
  HttpLimits limits;
  limits.head_bytes = 1024;
  limits.fields = 8;
  limits.body_bytes = 64;
  return limits;
}

/// Feeds as a connection does, `step` bytes at a time; returns how many bytes were used.
std::size_t feed(RequestReader& reader, const std::string& bytes, std::size_t step) {
  std::size_t used = 0;
  for (std::size_t end = std::min(step, bytes.size());; end = std::min(end + step, bytes.size())) {
    for (std::size_t more = 1; more != 0 && used < end;) {
      more = reader.feed(std::string_view(bytes).substr(used, end - used));
      used += more;
    }
    if (end == bytes.size())
      return used;
  }
}

/// The status that a request is refused with; 0 if it is complete, -1 if bytes are missing.
int status_of(const std::string& bytes) {
  RequestReader whole(small_limits());
  feed(whole, bytes, bytes.size());
  for (std::size_t step : {1, 2, 7}) {
    RequestReader slow(small_limits());
    feed(slow, bytes, step);
    BOOST_CHECK_MESSAGE(slow.state() == whole.state(),
                        "with " << step << " bytes at a time: " << bytes);
    if (whole.state() == State::failed)
      BOOST_TEST(slow.problem().status == whole.problem().status);
  }
  if (whole.state() == State::failed)
    return whole.problem().status;
  return whole.state() == State::done ? 0 : -1;
}

std::string get(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string post(const std::string& fields, const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(request_reader)

BOOST_AUTO_TEST_CASE(a_request_has_method_target_fields_and_body) {
  RequestReader reader(small_limits());
  std::string bytes =
      post("X-One: 1\r\nContent-Length: 5\r\nx-one:  2 \r\n", "hello") + "GET /next";
  auto used = feed(reader, bytes, bytes.size());
  BOOST_CHECK(reader.state() == State::done);
  BOOST_TEST(bytes.substr(used) == "GET /next");
  BOOST_TEST(reader.request().method == "POST");
  BOOST_TEST(reader.request().path == "/");
  BOOST_TEST(reader.request().body == "hello");
  BOOST_TEST(reader.request().fields.size() == 4);
  BOOST_TEST(reader.request().field("X-ONE").value() == "1");
  BOOST_TEST(!reader.request().field("x-two"));
  BOOST_TEST(reader.keeps_alive());
  BOOST_TEST(!reader.is_http_1_0());
}

BOOST_AUTO_TEST_CASE(chunks_are_joined_and_what_follows_them_is_no_field) {
  RequestReader reader(small_limits());
  std::string bytes = post("Transfer-Encoding: chunked\r\n",
                           "3\r\nhel\r\n2;note=\"x\"\r\nlo\r\n0\r\nX-Late: 1\r\n\r\n");
  feed(reader, bytes, 3);
  BOOST_CHECK(reader.state() == State::done);
  BOOST_TEST(reader.request().body == "hello");
  BOOST_TEST(!reader.request().field("X-Late"));
}

BOOST_AUTO_TEST_CASE(the_connection_stays_open_as_the_client_says) {
  auto keeps = [](const std::string& bytes) {
    RequestReader reader(small_limits());
    feed(reader, bytes, bytes.size());
    BOOST_REQUIRE(reader.state() == State::done);
    return reader.keeps_alive();
  };
  BOOST_TEST(keeps(get("")));
  BOOST_TEST(!keeps(get("Connection: close\r\n")));
  BOOST_TEST(!keeps("GET / HTTP/1.0\r\n\r\n"));
  BOOST_TEST(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

BOOST_AUTO_TEST_CASE(who_waits_to_be_told_is_known_before_the_body) {
  RequestReader reader(small_limits());
  auto head = post("Content-Length: 5\r\nExpect: 100-continue\r\n", "");
  feed(reader, head, head.size());
  BOOST_CHECK(reader.state() == State::body);
  BOOST_TEST(reader.expects_continue());
  reader.feed("he");
  BOOST_TEST(!reader.expects_continue());
  BOOST_TEST(status_of(get("Expect: a miracle\r\n")) == 417);
}

BOOST_AUTO_TEST_CASE(line_breaks_before_a_request_are_overlooked) {
  BOOST_TEST(status_of("\r\n" + get("")) == 0);
  BOOST_TEST(status_of("\r\n\r\n" + get("")) == 0);
  BOOST_TEST(status_of("\r\n\r\n\r\n" + get("")) == 400);
}

BOOST_AUTO_TEST_CASE(what_is_no_http_is_refused) {
  BOOST_TEST(status_of("hello\r\n\r\n") == 400);
  BOOST_TEST(status_of("GET /\r\n\r\n") == 400);
  BOOST_TEST(status_of("\x16\x03\x01\x02\r\n\r\n") == 400);
  BOOST_TEST(status_of("G=T / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  BOOST_TEST(status_of("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  BOOST_TEST(status_of(get("no colon\r\n")) == 400);
  BOOST_TEST(status_of(get("Space : 1\r\n")) == 400);
  BOOST_TEST(status_of(get("X: a\x01z\r\n")) == 400);
  BOOST_TEST(status_of(get(std::string("X: a\0z\r\n", 8))) == 400);
  BOOST_TEST(status_of("GET / HTTP/1.1\nHost: a\n\r\n\r\n") > 0);
  BOOST_TEST(status_of("GET / HTTP/1.1\r\n\r\n") == 400);
  BOOST_TEST(status_of(get("Host: b\r\n")) == 400);
}

BOOST_AUTO_TEST_CASE(other_versions_are_not_spoken) {
  BOOST_TEST(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505);
  BOOST_TEST(status_of("GET / HTTP/0.9\r\nHost: a\r\n\r\n") == 505);
  BOOST_TEST(status_of("GET / HTTP/1.2\r\nHost: a\r\n\r\n") == 505);
}

// Two readers that disagree about where a request ends could be made to see different requests.
BOOST_AUTO_TEST_CASE(a_body_has_one_length) {
  BOOST_TEST(status_of(post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")) == 400);
  BOOST_TEST(status_of(post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!")) == 400);
  BOOST_TEST(status_of(post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")) ==
             400);
  BOOST_TEST(status_of(post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")) ==
             400);
  BOOST_TEST(status_of(post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")) == 501);
  BOOST_TEST(status_of(post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")) == 501);
  BOOST_TEST(status_of(post("Transfer-Encoding: gzip\r\n", "")) == 501);
  BOOST_TEST(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
  for (const char* length : {"-1", "+1", "1x", "0x1", "", "99999999999999999999999"})
    BOOST_TEST(status_of(post("Content-Length: " + std::string(length) + "\r\n", "a")) == 400);
  BOOST_TEST(status_of(post("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "a")) == 415);
}

BOOST_AUTO_TEST_CASE(chunks_that_make_no_sense_are_refused) {
  auto chunked = [](const std::string& body) {
    return status_of(post("Transfer-Encoding: chunked\r\n", body));
  };
  BOOST_TEST(chunked("5\r\nhello\r\n0\r\n\r\n") == 0);
  BOOST_TEST(chunked("5\r\nhello\r\n") == -1);
  BOOST_TEST(chunked("x\r\nhello\r\n") == 400);
  BOOST_TEST(chunked("-5\r\nhello\r\n") == 400);
  BOOST_TEST(chunked("5\r\nhello!!0\r\n\r\n") == 400);
  BOOST_TEST(chunked("ffffffffffffffffff\r\nhello\r\n") == 400);
  BOOST_TEST(chunked("5;" + std::string(4000, 'x')) == 400);
}

BOOST_AUTO_TEST_CASE(nothing_is_longer_than_its_limit) {
  BOOST_TEST(status_of(get("X: " + std::string(900, 'x') + "\r\n")) == 0);
  BOOST_TEST(status_of(get("X: " + std::string(2000, 'x') + "\r\n")) == 431);
  BOOST_TEST(status_of("GET /" + std::string(2000, 'x')) == 431);
  std::string fields;
  for (int i = 0; i < 8; ++i)
    fields += "X: 1\r\n";
  BOOST_TEST(status_of(get(fields)) == 431);
  BOOST_TEST(status_of(post("Content-Length: 64\r\n", std::string(64, 'x'))) == 0);
  BOOST_TEST(status_of(post("Content-Length: 65\r\n", "")) == 413);
  BOOST_TEST(status_of(post("Content-Length: 18446744073709551615\r\n", "")) == 413);
  std::string chunks = "20\r\n" + std::string(32, 'x') + "\r\n";
  BOOST_TEST(status_of(post("Transfer-Encoding: chunked\r\n", chunks + chunks + "0\r\n\r\n")) == 0);
  BOOST_TEST(status_of(post("Transfer-Encoding: chunked\r\n", chunks + chunks + "1\r\nx")) == 413);
}

BOOST_AUTO_TEST_SUITE_END()
