#include "tests/fuzz/seeds.hpp"

namespace flowspec::fuzz {

Seeds http_seeds() {
  const std::string host = "Host: localhost:8080\r\n";
  return {
      {"get", "\x03GET /v1/models?a=b HTTP/1.1\r\n" + host + "\r\n"},
      {"post", "\x05POST /v1/chat/completions HTTP/1.1\r\n" + host +
                   "Content-Length: 13\r\nExpect: 100-continue\r\n\r\n{\"stream\":1}\nGET"},
      {"chunked",
       "\x07POST / HTTP/1.1\r\n" + host +
           "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=\"y\"\r\nde\r\n0\r\nX: 1\r\n\r\n"},
      {"absolute", "\x09GET http://[::1]:80/a?b HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"old", "\x0bGET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"},
      {"preflight", "\x0dOPTIONS / HTTP/1.1\r\n" + host +
                        "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n"
                        "Access-Control-Request-Headers: authorization\r\n\r\n"}};
}

}  // namespace flowspec::fuzz
