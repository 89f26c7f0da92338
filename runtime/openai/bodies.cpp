#include "runtime/openai/bodies.hpp"

#include <algorithm>
#include <utility>

#include "runtime/openai/api_error.hpp"
#include "runtime/openai/json.hpp"

namespace flowspec::openai {
namespace {

Json model_json(const ServedModel& model) {
  return {{"id", model.name},
          {"object", "model"},
          {"created", model.created},
          {"owned_by", "flowspec"},
          {"max_model_len", model.context}};
}

}  // namespace

std::string models_body(std::span<const ServedModel> models) {
  auto list = Json::array();
  for (const auto& model : models)
    list.push_back(model_json(model));
  return dump({{"object", "list"}, {"data", std::move(list)}});
}

std::string model_body(std::span<const ServedModel> models, std::string_view name) {
  auto found = std::ranges::find(models, name, &ServedModel::name);
  if (found == models.end())
    throw model_not_found(name.substr(0, 200));
  return dump(model_json(*found));
}

std::string tokenize_body(std::span<const TokenPiece> tokens, std::uint64_t context,
                          bool with_pieces) {
  Json body{{"count", tokens.size()}, {"max_model_len", context}};
  auto& ids = body["tokens"] = Json::array();
  for (const auto& piece : tokens)
    ids.push_back(piece.token);
  if (with_pieces) {
    auto texts = Json::array();
    auto pieces = Json::array();
    for (const auto& piece : tokens) {
      auto bytes = Json::array();
      for (char byte : piece.bytes)
        bytes.push_back(static_cast<unsigned char>(byte));
      texts.push_back(piece.bytes);
      pieces.push_back({{"id", piece.token}, {"piece", piece.bytes}, {"bytes", std::move(bytes)}});
    }
    body["token_strs"] = std::move(texts);
    body["pieces"] = std::move(pieces);
  }
  return dump(body);
}

std::string detokenize_body(std::string_view text) {
  return dump({{"prompt", text}, {"content", text}});
}

std::string apply_template_body(std::string_view prompt) {
  return dump({{"prompt", prompt}});
}

int health_status(Health health) {
  return health == Health::loading ? 503 : 200;
}

std::string health_body(Health health, std::string_view detail) {
  const char* status = health == Health::loading ? "loading"
                       : health == Health::ready ? "ready"
                                                 : "degraded";
  Json body{{"status", status}};
  if (!detail.empty())
    body["detail"] = detail;
  return dump(body);
}

}  // namespace flowspec::openai
