#pragma once
/// `flowspec serve` as a process, and what its clients ask.

#include <string>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/comes_true.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/paths.hpp"
#include "tests/system/programs.hpp"

namespace flowspec::test {

using Json = nlohmann::json;

/// A server on a free port, from when it is ready.
class Server {
 public:
  explicit Server(const Arguments& more = {}, const Arguments& where = {"--listen", "127.0.0.1:0"})
      : process_(Arguments{program_path("flowspec"), "serve"} + where + more) {
    BOOST_REQUIRE_MESSAGE(process_.wait_for_output("it is ready", patience), process_.error());
    auto line = process_.output().substr(0, process_.output().find('\n'));
    port_ = std::stoi(line.substr(line.rfind(':') + 1));
  }

  HttpClient client() const { return HttpClient(port_); }
  ClientAnswer get(const std::string& path) const {
    return client().ask(request_text("GET", path));
  }
  ClientAnswer post(const std::string& path, const Json& body,
                    const std::string& fields = "") const {
    return client().ask(request_text("POST", path, body.dump(), fields));
  }
  Json chat(Json body) const {
    auto answer = post("/v1/chat/completions", with_message(std::move(body)));
    BOOST_REQUIRE_MESSAGE(answer.status == 200, answer.body);
    return Json::parse(answer.body);
  }
  static Json with_message(Json body) {
    if (!body.contains("messages"))
      body["messages"] = Json::array({{{"role", "user"}, {"content", "Once upon a time"}}});
    return body;
  }
  Json cluster() const { return Json::parse(get("/v1/cluster").body); }
  Process& process() { return process_; }
  int port() const { return port_; }

 private:
  Process process_;
  int port_ = 0;
};

/// A chat request whose answer is to come as a stream.
inline std::string stream_request(Json body) {
  body["stream"] = true;
  return request_text("POST", "/v1/chat/completions", Server::with_message(std::move(body)).dump());
}

/// The content of the events of a stream.
inline std::string content_of(const std::string& stream) {
  std::string text;
  for (std::size_t at = 0; (at = stream.find("data: {", at)) != std::string::npos; ++at) {
    auto json = Json::parse(stream.substr(at + 6, stream.find('\n', at) - at - 6));
    BOOST_REQUIRE_MESSAGE(!json.contains("error"), json.dump());
    for (const auto& choice : json.at("choices"))
      text += choice.at("delta").value("content", "");
  }
  return text;
}

}  // namespace flowspec::test
