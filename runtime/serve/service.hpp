#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/http/http_reply.hpp"
#include "runtime/http/http_request.hpp"
#include "runtime/openai/metrics.hpp"
#include "runtime/serve/api_keys.hpp"
#include "runtime/serve/page_files.hpp"
#include "runtime/serve/served_model.hpp"
#include "runtime/serve/work_queue.hpp"

namespace flowspec {

struct ServiceSettings {
  /// The name by which clients know the model.
  std::string model;
  ApiKeys keys;
  /// Requests that wait for templates and tokenizers.
  std::size_t most_waiting = 64;
};

/// What is behind each path. It answers from the beginning: while there is no model, that it is being
/// loaded. Thread-safe.
class Service {
 public:
  Service(ServiceSettings settings, PageFiles page);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// For HttpServer: does nothing that takes long.
  void handle(HttpRequest request, std::shared_ptr<HttpReply> reply);
  /// Nothing if the request may go on; without its body.
  std::optional<HttpAnswer> admit(const HttpRequest& request);

  /// From now on there is a model.
  void begin(std::shared_ptr<ServedModel> model);
  /// Answers that are under way end with what they have; nothing is answered after that.
  void end();
  openai::Metrics& metrics() { return metrics_; }

 private:
  using Reply = std::shared_ptr<HttpReply>;
  struct Route;
  static const Route* find_route(std::string_view path);

  std::shared_ptr<ServedModel> model() const;
  void show_page(const HttpRequest& request, const Reply& reply);
  void show_health(const HttpRequest& request, const Reply& reply);
  void show_models(const HttpRequest& request, const Reply& reply);
  void show_metrics(const HttpRequest& request, const Reply& reply);
  /// The reply stays with the caller, who may have to refuse the request.
  void work(HttpRequest request, const Reply& reply);
  void work_now(const HttpRequest& request, const Reply& reply);

  ServiceSettings settings_;
  PageFiles page_;
  openai::Metrics metrics_;
  std::int64_t created_;
  mutable std::mutex mutex_;
  std::shared_ptr<ServedModel> model_;
  bool is_ending_ = false;
  WorkQueue work_;
};

}  // namespace flowspec
