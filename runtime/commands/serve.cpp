#include "runtime/commands/serve.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "runtime/commands/chat.hpp"
#include "runtime/commands/client.hpp"
#include "runtime/http/http_server.hpp"
#include "runtime/run/planned_run.hpp"
#include "runtime/run/run.hpp"
#include "runtime/serve/pipeline_model.hpp"
#include "runtime/serve/service.hpp"

namespace flowspec {

namespace {

/// For answers that have been told to end, and clients that have to read them.
constexpr std::chrono::seconds end_grace{5};

/// The signal that ends the server.
class EndSignal {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return has_come_; });
  }
  /// On the thread that takes signals.
  void come(int signal) {
    std::lock_guard lock(mutex_);
    if (std::exchange(has_come_, true))
      leave_at_once(signal);
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool has_come_ = false;
};

ChatWriter open_writer(const Engine& engine, const ServeOptions& options) {
  // The pair that comes with the program was trained on plain texts.
  bool is_plain = options.run.model.empty() && options.chat_template.empty();
  TemplateRunnerConfig config;
  config.helpers = 2;
  return ChatWriter::open(engine.target().files->path(), engine.target().tokenizer,
                          is_plain ? "plain" : options.chat_template,
                          std::make_shared<TemplateRunner>(config));
}

TextSettings text_settings(const Engine& engine, const ServeOptions& options) {
  TextSettings settings;
  settings.model = served_name(options);
  settings.context = engine.context();
  settings.max_tokens = options.max_tokens;
  settings.sampling = options.sampling;
  settings.stop = options.stop;
  settings.progress_limit = options.progress_limit;
  return settings;
}

ClusterState shape_of(const Engine& engine, const ServeOptions& options, const RunSpec& spec,
                      const Run& run) {
  ClusterState shape;
  shape.model = engine.target().files->path().filename().string();
  if (engine.draft_name() != "none")
    shape.draft = engine.draft_name();
  shape.mode = options.run.mode;
  shape.forecast = spec.forecast;
  for (const HopPlace& hop : run.hops()) {
    if (hop.layers.size() > 0)
      shape.layers.push_back(hop.layers);
    shape.places.push_back(hop.where);
  }
  for (const RemoteNode& node : run.nodes())
    shape.nodes.push_back({node.label(), false});
  return shape;
}

PageFiles open_page() {
  PageFiles page;
  if (!page.complaint().empty())
    spdlog::warn(page.complaint());
  return page;
}

class Serving {
 public:
  explicit Serving(ServeOptions options)
      : options_(std::move(options)),
        service_(service_settings(), open_page()),
        server_(
            http_config(options_),
            [this](HttpRequest request, std::shared_ptr<HttpReply> reply) {
              service_.handle(std::move(request), std::move(reply));
            },
            [this](const HttpRequest& request) { return service_.admit(request); }) {}

  ExitCode run() {
    tell_where();
    auto code = run_client(options_, leave_at_once,
                           [this](caf::actor_system& system, const Engine& engine, Client& client) {
                             return serve(system, engine, client);
                           });
    // Where the model could not be loaded.
    service_.end();
    server_.stop();
    return code;
  }

 private:
  ServiceSettings service_settings() const {
    ServiceSettings settings;
    settings.model = served_name(options_);
    if (!options_.api_key_file.empty())
      settings.keys = ApiKeys::read(options_.api_key_file);
    // Of those that are still being read; the queue itself is behind them.
    settings.most_waiting = std::max<std::size_t>(options_.queue, 64);
    return settings;
  }

  std::string url() const {
    auto address = http_config(options_).addresses.front();
    bool is_v6 = address.host.find(':') != std::string::npos;
    return fmt::format("{}://{}:{}", options_.tls_certificate.empty() ? "http" : "https",
                       is_v6 ? "[" + address.host + "]" : address.host, server_.port());
  }

  void tell_where() const {
    auto name = served_name(options_);
    if (options_.json)
      print(nlohmann::json{{"url", url()}, {"model", name}}.dump() + "\n");
    else if (options_.verbosity != Verbosity::quiet)
      print(fmt::format("{} listens at {}\n", name, url()));
  }

  ExitCode serve(caf::actor_system& system, const Engine& engine, Client& client) {
    auto writer = open_writer(engine, options_);  // the quick checks come first
    ServedText text(engine.target().tokenizer, std::move(writer), text_settings(engine, options_));
    auto positions = options_.run.context != 0 ? engine.context()
                                               : std::min(engine.context(), default_chat_context);
    const auto spec = planned(system, engine, options_.run, positions);
    Run run(system, engine, spec);
    EndSignal end;
    client.signals.set_handler([&end](int signal) { end.come(signal); });
    auto model = make_pipeline_model(system, run.coordinator(), std::move(text),
                                     shape_of(engine, options_, spec, run), service_.metrics(),
                                     {options_.max_requests, options_.queue});
    service_.begin(model);
    if (!options_.json && options_.verbosity != Verbosity::quiet)
      print("it is ready; Ctrl-C ends it\n");
    end.wait();
    spdlog::info("the server ends; answers that are under way have {} s", end_grace.count());
    service_.end();
    server_.stop(end_grace);
    model->end_answers();  // those whose sessions are not heard of any more
    client.signals.set_handler(leave_at_once);
    return ExitCode::ok;
  }

  ServeOptions options_;
  Service service_;
  HttpServer server_;
};

}  // namespace

ExitCode serve(ServeOptions options) {
  return Serving(std::move(options)).run();
}

}  // namespace flowspec
