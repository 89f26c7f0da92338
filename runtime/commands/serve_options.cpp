#include "runtime/commands/serve_options.hpp"

#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "models/tokenizer/chat_template.hpp"
#include "models/tokenizer/utf8.hpp"
#include "runtime/cluster/address.hpp"
#include "runtime/console/cli.hpp"
#include "runtime/console/error.hpp"
#include "runtime/http/request_rules.hpp"

namespace flowspec {

namespace {

constexpr std::uint16_t default_http_port = 8080;
/// Of one address, where strangers may connect: somebody's browser, and some programs.
constexpr std::size_t connections_of_stranger = 256;

Address listen_at(const std::string& text) {
  constexpr std::string_view any_port = ":0";
  bool is_any = text.ends_with(any_port);
  auto address = parse_address(is_any ? text.substr(0, text.size() - any_port.size()) : text);
  if (is_any)
    address.port = 0;
  else if (address.port == default_port && !text.ends_with(fmt::format(":{}", default_port)))
    address.port = default_http_port;
  return address;
}

void add_server_options(CLI::App& app, ServeOptions& options) {
  auto* server = app.add_option_group("Server");
  server->add_option(
      "--listen", options.listen,
      fmt::format("Address, host:port; port 0: any free one (default {})", options.listen));
  server
      ->add_option(
          "--api-key-file", options.api_key_file,
          "File with the keys of those who may ask, one a line (Authorization: Bearer KEY)")
      ->check(CLI::ExistingFile);
  auto* certificate = server
                          ->add_option("--tls-cert", options.tls_certificate,
                                       "Certificate of the server (PEM), for https")
                          ->check(CLI::ExistingFile);
  auto* key = server->add_option("--tls-key", options.tls_key, "Key of that certificate")
                  ->check(CLI::ExistingFile);
  certificate->needs(key);
  key->needs(certificate);
  server
      ->add_option("--allow-host", options.allowed_hosts,
                   "Listening on this machine alone, answer also to this name (that of a proxy); "
                   "may be repeated; *: to all")
      ->take_all()
      ->allow_extra_args(false);
  server
      ->add_option("--allow-origin", options.allowed_origins,
                   "Pages of this origin (https://chat.example) may use the server; may be "
                   "repeated; *: all pages")
      ->take_all()
      ->allow_extra_args(false);
  server->add_option("--model-name", options.model_name,
                     "How clients name the model (default: as its file, without the ending)");
  server
      ->add_option(
          "--max-requests", options.max_requests,
          fmt::format("Answers that are written at once (default {})", options.max_requests))
      ->check(CLI::Range(1, 1024));
  server
      ->add_option("--queue", options.queue,
                   fmt::format("Requests that wait for that; more get status 429 (default {})",
                               options.queue))
      ->check(CLI::Range(0, 100'000));
  server
      ->add_option("--max-connections", options.max_connections,
                   fmt::format("Connections at once (default {})", options.max_connections))
      ->check(CLI::Range(1, 1'000'000));
}

}  // namespace

void add_serve(CLI::App& app, ServeOptions& options) {
  add_server_options(app, options);
  auto names = ChatTemplate::names();
  app.add_option("--chat-template", options.chat_template,
                 "How messages are written for the model (default: as its file says)")
      ->check(CLI::IsMember(std::vector<std::string>(names.begin(), names.end())));
  options.max_tokens = 4096;
  add_answer_options(app, options,
                     "Tokens of prompt and answer together at most (default: as the model says)");
  app.footer(fmt::format(
      "Options of sampling, --max-tokens and --stop hold for requests that do not say otherwise "
      "(stop texts of a request come on top). Ctrl-C ends the server: answers that are being "
      "written end with what they have.\n\n{}",
      exit_codes_text));
}

void check(const ServeOptions& options) {
  check(static_cast<const AnswerOptions&>(options));
  auto address = listen_at(options.listen);
  bool is_guarded = !options.api_key_file.empty() || !options.tls_certificate.empty();
  if (!is_guarded && !is_loopback_name(address.host))
    throw RuntimeError(fmt::format(
        "--listen {}: whoever reaches this address could use the model. Say who may, with "
        "--api-key-file, or use https (--tls-cert and --tls-key), or listen on 127.0.0.1",
        options.listen));
  if (!is_utf8(options.model_name))
    throw RuntimeError("--model-name is no UTF-8, and clients could not say it");
}

HttpConfig http_config(const ServeOptions& options) {
  auto address = listen_at(options.listen);
  HttpConfig config;
  config.addresses = {{address.host, address.port}};
  config.tls_certificate = options.tls_certificate;
  config.tls_key = options.tls_key;
  config.limits.connections = options.max_connections;
  if (!is_loopback_name(address.host))
    config.limits.connections_per_address = connections_of_stranger;
  config.allowed_hosts = options.allowed_hosts;
  config.allowed_origins = options.allowed_origins;
  return config;
}

std::string served_name(const ServeOptions& options) {
  if (!options.model_name.empty())
    return options.model_name;
  if (options.run.model.empty())
    return "flowspec-stories";
  auto path = std::filesystem::path(options.run.model).lexically_normal();
  if (!path.has_filename())
    path = path.parent_path();  // a folder, with a slash at its end
  auto name = path.extension() == ".gguf" ? path.stem().string() : path.filename().string();
  return is_utf8(name) && !name.empty() ? name : "model";
}

}  // namespace flowspec
