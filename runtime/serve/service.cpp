#include "runtime/serve/service.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "runtime/console/error.hpp"
#include "runtime/openai/bodies.hpp"
#include "runtime/serve/replies.hpp"

namespace flowspec {

namespace {

using openai::ApiError;

constexpr unsigned work_threads = 2;
constexpr std::string_view models_path = "/v1/models";

/// Changes whenever the content does (FNV-1a).
std::string tag_of(std::string_view content) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : content)
    hash = (hash ^ c) * 0x100000001b3;
  return fmt::format("\"{:016x}\"", hash);
}

std::int64_t seconds_since_1970() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

struct Service::Route {
  enum class What {
    health,
    models,
    metrics,
    cluster,
    events,
    chat,
    completion,
    tokenize,
    detokenize,
    apply_template
  };
  std::string_view path;
  What what;
  bool is_post = false;
  /// Without the API key.
  bool is_open = false;
};

const Service::Route* Service::find_route(std::string_view path) {
  using What = Route::What;
  static constexpr std::array<Route, 10> routes{{{"/health", What::health, false, true},
                                                 {models_path, What::models},
                                                 {"/metrics", What::metrics},
                                                 {"/v1/cluster", What::cluster},
                                                 {"/events", What::events},
                                                 {"/v1/chat/completions", What::chat, true},
                                                 {"/v1/completions", What::completion, true},
                                                 {"/tokenize", What::tokenize, true},
                                                 {"/detokenize", What::detokenize, true},
                                                 {"/apply-template", What::apply_template, true}}};
  if (path.starts_with(models_path) && path.substr(models_path.size()).starts_with('/'))
    path = models_path;
  const auto* found = std::ranges::find(routes, path, &Route::path);
  return found == routes.end() ? nullptr : found;
}

Service::Service(ServiceSettings settings, PageFiles page)
    : settings_(std::move(settings)),
      page_(std::move(page)),
      metrics_(settings_.model),
      created_(seconds_since_1970()),
      work_(work_threads, settings_.most_waiting) {}

std::shared_ptr<ServedModel> Service::model() const {
  std::lock_guard lock(mutex_);
  if (is_ending_)
    throw openai::not_ready("The server is being stopped.");
  if (!model_)
    throw openai::not_ready();
  return model_;
}

void Service::begin(std::shared_ptr<ServedModel> model) {
  {
    std::lock_guard lock(mutex_);
    model_ = std::move(model);
  }
  metrics_.set_ready(true);
}

void Service::end() {
  std::shared_ptr<ServedModel> model;
  {
    std::lock_guard lock(mutex_);
    is_ending_ = true;
    model = std::exchange(model_, nullptr);
  }
  metrics_.set_ready(false);
  work_.stop();
  if (model)
    model->end_answers();
}

std::optional<HttpAnswer> Service::admit(const HttpRequest& request) {
  const auto* route = find_route(request.path);
  if (!settings_.keys.are_needed() || (route != nullptr && route->is_open) ||
      page_.find(request.path) != nullptr || settings_.keys.let_in(request.field("Authorization")))
    return std::nullopt;
  auto error = openai::invalid_api_key();
  metrics_.http_answered(error.status);
  return HttpAnswer{error.status, json_type, error_body(error), {{"WWW-Authenticate", "Bearer"}}};
}

void Service::handle(HttpRequest request, std::shared_ptr<HttpReply> reply) {
  using What = Route::What;
  try {
    bool is_get = request.method == "GET" || request.method == "HEAD";
    const auto* route = find_route(request.path);
    if (route == nullptr) {
      if (page_.find(request.path) == nullptr)
        throw openai::not_found(request.method, request.path);
      if (!is_get)
        throw openai::method_not_allowed(request.method, request.path, "GET, HEAD");
      return show_page(request, reply);
    }
    if (route->is_post ? request.method != "POST" : !is_get)
      throw openai::method_not_allowed(request.method, request.path,
                                       route->is_post ? "POST" : "GET, HEAD");
    switch (route->what) {
      case What::health:
        return show_health(request, reply);
      case What::models:
        return show_models(request, reply);
      case What::metrics:
        return show_metrics(request, reply);
      case What::cluster:
        return model()->show_cluster(reply);
      case What::events:
        return model()->watch(reply);
      default:
        return work(std::move(request), reply);
    }
  } catch (const ApiError& error) {
    refuse(*reply, metrics_, error);
  }
}

void Service::show_page(const HttpRequest& request, const Reply& reply) {
  const auto* file = page_.find(request.path);
  auto fields = page_headers();
  auto tag = tag_of(file->content);
  fields.emplace_back("ETag", tag);
  bool is_known = request.field("If-None-Match") == tag;
  metrics_.http_answered(is_known ? 304 : 200);
  reply->respond(is_known ? 304 : 200, is_known ? "" : file->content_type,
                 is_known ? "" : file->content, fields);
}

void Service::show_health(const HttpRequest& /*request*/, const Reply& reply) {
  using openai::Health;
  auto tell = [&](int status, Health health, std::string_view detail) {
    respond(*reply, metrics_, status, json_type, openai::health_body(health, detail));
  };
  std::shared_ptr<ServedModel> loaded;
  try {
    loaded = model();
  } catch (const ApiError& error) {
    return tell(openai::health_status(Health::loading), Health::loading, error.what());
  }
  if (auto loss = loaded->loss(); !loss.empty())
    return tell(503, Health::degraded, loss);
  tell(openai::health_status(Health::ready), Health::ready, "");
}

void Service::show_models(const HttpRequest& request, const Reply& reply) {
  std::array<openai::ServedModel, 1> models{
      {{settings_.model, created_, model()->text().settings().context}}};
  auto name = std::string_view(request.path).substr(models_path.size());
  respond(*reply, metrics_, 200, json_type,
          name.empty() ? openai::models_body(models) : openai::model_body(models, name.substr(1)));
}

void Service::show_metrics(const HttpRequest& /*request*/, const Reply& reply) {
  std::shared_ptr<ServedModel> loaded;
  {
    std::lock_guard lock(mutex_);
    loaded = model_;
  }
  if (loaded)
    return loaded->show_metrics(reply);
  respond(*reply, metrics_, 200, openai::metrics_type, metrics_.text());
}

void Service::work(HttpRequest request, const Reply& reply) {
  model();  // or else it is refused at once
  auto task = [this, reply, request = std::make_shared<HttpRequest>(std::move(request))] {
    if (!reply->gone())
      work_now(*request, reply);
  };
  if (!work_.post(task))
    throw openai::queue_full(settings_.most_waiting);
}

void Service::work_now(const HttpRequest& request, const Reply& reply) {
  using What = Route::What;
  try {
    auto loaded = model();
    const auto& text = loaded->text();
    auto tell = [&](std::string body) {
      respond(*reply, metrics_, 200, json_type, std::move(body));
    };
    switch (find_route(request.path)->what) {
      case What::chat:
        return loaded->answer(text.chat(request.body), reply);
      case What::completion:
        return loaded->answer(text.completion(request.body), reply);
      case What::tokenize:
        return tell(text.tokenize(request.body));
      case What::detokenize:
        return tell(text.detokenize(request.body));
      default:
        return tell(text.apply_template(request.body));
    }
  } catch (const ApiError& error) {
    refuse(*reply, metrics_, error);
  } catch (const RuntimeError& error) {
    refuse(*reply, metrics_, openai::api_error(error.code(), error.what()));
  } catch (const std::exception& error) {
    spdlog::error("{}: {}", request.path, error.what());
    refuse(*reply, metrics_, openai::internal_error(error.what()));
  }
}

}  // namespace flowspec
