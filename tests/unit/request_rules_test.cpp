/// Which hosts and origins a server answers to.

#include "runtime/http/request_rules.hpp"

#include <boost/test/unit_test.hpp>

#include "runtime/http/response_text.hpp"

using namespace flowspec;

namespace {

HttpRequest request(const std::string& method, const std::string& target, HttpFields fields) {
  HttpRequest result;
  result.method = method;
  result.path = target;
  result.fields = std::move(fields);
  return result;
}

int status_of(HttpRequest asked, const HttpRules& rules) {
  auto problem = check_request(asked, rules);
  return problem ? problem->status : 200;
}

const HttpRules local{true, {}, {}};
const HttpRules open_to_all{false, {}, {}};

int host_status(const std::string& host, const HttpRules& rules) {
  return status_of(request("GET", "/", {{"Host", host}}), rules);
}

int origin_status(const std::string& method, const std::string& origin, const HttpRules& rules) {
  return status_of(request(method, "/", {{"Host", "localhost:8080"}, {"Origin", origin}}), rules);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(request_rules)

BOOST_AUTO_TEST_CASE(a_target_is_split_into_path_and_query) {
  auto split = [](const std::string& target) {
    auto asked = request("GET", target, {{"Host", "a"}});
    BOOST_TEST(!check_request(asked, open_to_all));
    return asked.path + " " + asked.query;
  };
  BOOST_TEST(split("/") == "/ ");
  BOOST_TEST(split("/a/b?c=d?e") == "/a/b c=d?e");
  BOOST_TEST(split("/a#b?c") == "/a ");
  BOOST_TEST(split("http://b/c?d") == "/c d");
  BOOST_TEST(split("HTTP://b?d") == "/ d");
  BOOST_TEST(status_of(request("GET", "a", {{"Host", "a"}}), open_to_all) == 400);
  BOOST_TEST(status_of(request("GET", "ftp://a/", {{"Host", "a"}}), open_to_all) == 400);
  BOOST_TEST(status_of(request("CONNECT", "a:80", {{"Host", "a"}}), open_to_all) == 400);
  BOOST_TEST(status_of(request("OPTIONS", "*", {{"Host", "a"}}), open_to_all) == 200);
}

// A page whose own name suddenly stands for 127.0.0.1 is of the same origin for the browser.
BOOST_AUTO_TEST_CASE(a_local_server_answers_to_names_of_this_machine) {
  for (const char* host : {"localhost", "LocalHost:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]",
                           "[::1]:8080", "localhost.", "me.localhost"})
    BOOST_TEST(host_status(host, local) == 200, host);
  for (const char* host : {"evil.example", "evil.example:8080", "192.0.2.1", "[2001:db8::1]",
                           "127.0.0.1.evil.example", "localhost.evil.example", "notlocalhost"})
    BOOST_TEST(host_status(host, local) == 403, host);
  BOOST_TEST(host_status("evil.example", open_to_all) == 200);
  HttpRules named{true, {"box.lan"}, {}};
  BOOST_TEST(host_status("Box.LAN:8080", named) == 200);
  BOOST_TEST(host_status("evil.example", named) == 403);
  BOOST_TEST(host_status("evil.example", {true, {"*"}, {}}) == 200);
}

BOOST_AUTO_TEST_CASE(the_host_of_an_absolute_target_counts) {
  auto asked = request("GET", "http://evil.example/", {{"Host", "localhost"}});
  BOOST_TEST(status_of(asked, local) == 403);
}

BOOST_AUTO_TEST_CASE(a_host_is_well_formed) {
  for (const char* host : {"a b", "a/b", "[::1", "[x]", "a:b", "a:123456", "user@localhost", ":80",
                           "[::1]x", "\xc3\xa4"})
    BOOST_TEST(host_status(host, open_to_all) == 400, host);
  BOOST_TEST(host_status("", open_to_all) == 200);
}

// Without this a page could post to the server; it could not read the answer, but that costs as much.
BOOST_AUTO_TEST_CASE(pages_of_others_may_not_post_to_a_local_server) {
  BOOST_TEST(origin_status("POST", "http://localhost:8080", local) == 200);
  BOOST_TEST(origin_status("POST", "http://localhost:8081", local) == 403);
  BOOST_TEST(origin_status("POST", "https://evil.example", local) == 403);
  BOOST_TEST(origin_status("POST", "null", local) == 403);
  BOOST_TEST(origin_status("OPTIONS", "https://evil.example", local) == 403);
  // Others cannot read what they get, unless they may.
  BOOST_TEST(origin_status("GET", "https://evil.example", local) == 200);
  HttpRules some{true, {}, {"https://chat.example"}};
  BOOST_TEST(origin_status("POST", "https://chat.example", some) == 200);
  BOOST_TEST(origin_status("POST", "https://evil.example", some) == 403);
  BOOST_TEST(origin_status("POST", "https://evil.example", open_to_all) == 200);
}

BOOST_AUTO_TEST_CASE(browsers_are_told_of_allowed_origins_alone) {
  HttpRules some{true, {}, {"https://chat.example"}};
  auto asked = [](const std::string& origin) {
    return request("OPTIONS", "/",
                   {{"Host", "localhost"},
                    {"Origin", origin},
                    {"Access-Control-Request-Method", "POST"},
                    {"Access-Control-Request-Headers", "authorization,x-a"}});
  };
  BOOST_TEST(cors_fields(asked("https://evil.example"), some).empty());
  BOOST_TEST(cors_fields(asked("https://chat.example"), open_to_all).empty());
  auto fields = response_head(204, "", cors_fields(asked("https://chat.example"), some), {});
  for (const char* field :
       {"Access-Control-Allow-Origin: https://chat.example\r\n",
        "Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n",
        "Access-Control-Allow-Headers: authorization,x-a\r\n", "Vary: Origin\r\n"})
    BOOST_TEST(fields.find(field) != std::string::npos, field);
}

BOOST_AUTO_TEST_CASE(fields_cannot_break_out_of_a_head) {
  auto head =
      response_head(200, "text/plain\r\nX: 1",
                    {{"A", "b\r\nX: 1"}, {"B\r\nX", "1"}, {"content-length", "7"}, {"C", "d"}},
                    {3, false, true, false});
  BOOST_TEST(head.find("X") == std::string::npos);
  BOOST_TEST(head.find("7\r\n") == std::string::npos);
  BOOST_TEST(head.find("C: d\r\nContent-Length: 3\r\n\r\n") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
