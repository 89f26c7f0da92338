/// The server with TLS.

#include <filesystem>
#include <fstream>

#include <boost/test/unit_test.hpp>
#include <openssl/ssl.h>

#include "runtime/console/error.hpp"
#include "runtime/membership/certificates.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/http_host.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;
using namespace std::chrono_literals;

namespace {

struct Certified {
  TempFolder folder;
  HttpConfig config;

  Certified() {
    Validity hour{seconds_now() - 60, seconds_now() + 3600};
    auto authority = make_authority(hour);
    auto key = make_key();
    auto certificate = sign(authority, make_request(key, "server"), {"server", hour, false});
    write(folder / "cert.pem", certificate + authority.certificate);
    write(folder / "key.pem", key);
    config.tls_certificate = (folder / "cert.pem").string();
    config.tls_key = (folder / "key.pem").string();
  }

  static void write(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path) << text;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(http_tls)

BOOST_AUTO_TEST_CASE(requests_and_streams_go_through_tls) {
  Certified certified;
  HttpHost host(certified.config);
  for (int version : {0, TLS1_2_VERSION}) {
    auto client = host.client();
    BOOST_REQUIRE(client.start_tls(version));
    BOOST_TEST(client.ask(request_text("GET", "/hello")).body == "hello");
    BOOST_TEST(client.ask(request_text("GET", "/stream")).body == "one two three");
    std::string body(300'000, 'x');
    BOOST_CHECK(client.ask(request_text("POST", "/echo", body)).body == body);
    BOOST_TEST(client.ask(request_text("GET", "/hello", "", "Connection: close\r\n")).body ==
               "hello");
    BOOST_TEST(client.rest() == "");
  }
}

BOOST_AUTO_TEST_CASE(old_versions_and_plain_text_are_not_spoken) {
  Certified certified;
  HttpHost host(certified.config);
  auto old = host.client();
  BOOST_TEST(!old.start_tls(TLS1_1_VERSION));
  auto plain = host.client();
  plain.send(request_text("GET", "/hello"));
  BOOST_TEST(plain.is_closed());
  BOOST_TEST(host.server().counters().requests == 0);
}

BOOST_AUTO_TEST_CASE(a_handshake_that_does_not_go_on_ends) {
  Certified certified;
  certified.config.timeouts.handshake = 50ms;
  HttpHost host(certified.config);
  auto client = host.client();
  client.send("\x16\x03\x01\x02");
  BOOST_TEST(client.is_closed());
}

BOOST_AUTO_TEST_CASE(a_client_that_goes_away_is_noticed_through_tls) {
  Certified certified;
  HttpHost host(certified.config);
  Event gone;
  std::shared_ptr<HttpReply> reply;
  {
    auto client = host.client();
    BOOST_REQUIRE(client.start_tls());
    client.send(request_text("GET", "/wait"));
    reply = host.next();
    reply->on_gone([&] { gone.happen(); });
    reply->begin_stream("text/plain");
    reply->write("abc");
    client.read_until("abc");
  }
  BOOST_TEST(gone.wait());
}

BOOST_AUTO_TEST_CASE(certificates_that_cannot_be_used_are_told) {
  Certified certified;
  auto config = certified.config;
  config.tls_key = (certified.folder / "none.pem").string();
  check_throws<RuntimeError>([&] { HttpHost host(config); }, {"cannot use the key", "none.pem"});
  config = certified.config;
  Certified::write(config.tls_certificate, "no certificate");
  check_throws<RuntimeError>([&] { HttpHost host(config); }, {"cannot use the certificate"});
  Certified other;
  other.config.tls_key = (other.folder / "key2.pem").string();
  Certified::write(other.config.tls_key, make_key());
  check_throws<RuntimeError>([&] { HttpHost host(other.config); }, {"the key"});
}

BOOST_AUTO_TEST_SUITE_END()
