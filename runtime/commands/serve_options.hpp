#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "runtime/commands/answer_options.hpp"
#include "runtime/http/http_config.hpp"

namespace CLI {
class App;
}

namespace flowspec {

/// Options of `flowspec serve`. Those of sampling hold for requests that do not say otherwise.
struct ServeOptions : AnswerOptions {
  std::string listen = "127.0.0.1:8080";
  std::string api_key_file;
  std::string tls_certificate;
  std::string tls_key;
  std::vector<std::string> allowed_hosts;
  std::vector<std::string> allowed_origins;
  /// Empty: the name of the model's file.
  std::string model_name;
  /// Name of a template; empty: the model file's.
  std::string chat_template;
  /// Answers that are written at once, and requests that wait for that.
  std::size_t max_requests = 32;
  std::size_t queue = 256;
  std::size_t max_connections = 1024;
};

void add_serve(CLI::App& app, ServeOptions& options);

/// Throws RuntimeError for options that contradict each other, and where strangers could use the server.
void check(const ServeOptions& options);

/// Where the server listens, and its limits. Throws RuntimeError if `--listen` is no address.
HttpConfig http_config(const ServeOptions& options);
/// By which clients know the model.
std::string served_name(const ServeOptions& options);

}  // namespace flowspec
