#include "runtime/run/report.hpp"

#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "models/tokenizer/tokenizer.hpp"
#include "runtime/cluster/forecast.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::ordered_json;

const char* name_of(Finish finish) {
  switch (finish) {
    case Finish::end_of_text:
      return "stop";
    case Finish::length:
      return "length";
    case Finish::stop_string:
      return "stop_string";
    case Finish::cancelled:
      return "cancelled";
    case Finish::failed:
      break;
  }
  return "error";
}

double per_second(std::uint64_t count, std::uint64_t us) {
  return us == 0 ? 0 : static_cast<double>(count) * 1e6 / static_cast<double>(us);
}

struct Rates {
  double prefill = 0;
  double decode = 0;
  double accept_length = 0;

  explicit Rates(const Summary& summary) {
    const Report& report = summary.report;
    auto tokens = report.tokens.size();
    if (tokens > 0)
      prefill = per_second(report.prompt_tokens - summary.cached_tokens, report.prefill_us);
    // The first token belongs to the prefill.
    if (tokens > 1)
      decode = per_second(tokens - 1, report.decode_us);
    if (report.verifications > 0)
      accept_length = static_cast<double>(tokens) / static_cast<double>(report.verifications);
  }
};

/// Share of the run's time in which the hop computed.
double busy_share(const StageStats& stats, const Report& report) {
  auto us = report.prefill_us + report.decode_us;
  return us == 0 ? 0 : static_cast<double>(stats.busy_ns) / 1e3 / static_cast<double>(us);
}

/// Time of a segment, in milliseconds.
struct SegmentTime {
  double measured = 0;
  /// For as many rows as the segments had in the mean.
  double planned = 0;
};

std::optional<SegmentTime> segment_time(const Summary& summary, std::size_t hop) {
  if (hop >= summary.forecast.size() || hop >= summary.stats.size() ||
      summary.stats[hop].segments == 0)
    return std::nullopt;
  const StageStats& stats = summary.stats[hop];
  auto segments = static_cast<double>(stats.segments);
  return SegmentTime{
      static_cast<double>(stats.busy_ns) * 1e-6 / segments,
      layer_seconds(summary.forecast[hop], static_cast<double>(stats.rows_computed) / segments) *
          1e3};
}

/// The slowest stage's.
std::string step_remark(const Summary& summary) {
  std::optional<SegmentTime> slowest;
  for (std::size_t i = 0; i < summary.forecast.size(); ++i)
    if (auto time = segment_time(summary, i);
        time && (!slowest || time->measured > slowest->measured))
      slowest = time;
  return slowest ? fmt::format(" | step {:.1f} ms (planned {:.1f})", slowest->measured,
                               slowest->planned)
                 : "";
}

Json json_of(const HopPlace& hop, const StageStats& stats, const Report& report) {
  Json json{{"name", hop.name}, {"where", hop.where}};
  if (hop.layers.end > 0)
    json["layers"] = {hop.layers.first, hop.layers.end};
  json["segments"] = stats.segments;
  json["rows_computed"] = stats.rows_computed;
  json["rows_dropped"] = stats.rows_dropped;
  json["busy_share"] = busy_share(stats, report);
  if (hop.name == "draft") {
    json["forwards"] = stats.draft_forwards;
    json["guesses"] = stats.guesses;
    json["right_guesses"] = stats.right_guesses;
    json["scale"] = stats.draft_scale;
    json["controller"] = {{"guessed_tokens", stats.guessed_tokens},
                          {"plain_tokens", stats.plain_tokens},
                          {"switches", stats.switches},
                          {"send_reach", stats.send_reach},
                          {"hold", stats.hold}};
  }
  return json;
}

/// What to check about a head that reads several layers; such a head hardly ever fits the model.
std::string head_remark(const Summary& summary, std::uint64_t guesses) {
  constexpr std::uint64_t enough = 200;
  if (summary.draft_taps.empty() || guesses < enough)
    return {};
  return fmt::format(
      ": this EAGLE-3 head hardly ever fits this model. Check that it was trained for this very "
      "model and not for another fine-tune of it, that prompts have the model's own chat template, "
      "and that the head was made for what enters layers {} (eagle_aux_hidden_state_layer_ids)",
      fmt::join(summary.draft_taps, ", "));
}

/// What a token stands for, or, where that is nothing, its name.
std::string token_text(const Tokenizer& tokenizer, Token token) {
  auto piece = tokenizer.piece(token);
  return piece.empty() ? tokenizer.text(token) : piece;
}

Json json_of(const std::vector<TokenLogprob>& logprobs, const Tokenizer& tokenizer) {
  auto json_of_token = [&](Token token, float logprob) {
    return Json{{"token", token}, {"text", token_text(tokenizer, token)}, {"logprob", logprob}};
  };
  auto json = Json::array();
  for (const TokenLogprob& told : logprobs) {
    auto entry = json_of_token(told.token, told.logprob);
    entry["top"] = Json::array();
    for (const auto& likely : told.top)
      entry["top"].push_back(json_of_token(likely.token, likely.logprob));
    json.push_back(std::move(entry));
  }
  return json;
}

/// A remark on a draft whose guesses are hardly ever right, once there are enough of them, or that
/// makes no guesses. Look-up makes none if the text does not repeat itself.
std::string draft_remark(const Summary& summary) {
  constexpr std::uint64_t enough = 24;
  constexpr double least_share = 0.15;
  for (std::size_t i = 0; i < summary.stats.size() && i < summary.hops.size(); ++i) {
    const StageStats& stats = summary.stats[i];
    if (summary.hops[i].name != "draft")
      continue;
    if (stats.guesses == 0 && stats.draft_forwards > 0 && summary.report.tokens.size() >= enough &&
        summary.draft != "lookup")
      return fmt::format(
          "\nthe draft ({}) had a guess for none of {} tokens: it is far slower than the model, or "
          "one of its weights is NaN or infinite",
          summary.draft, summary.report.tokens.size());
    auto share = static_cast<double>(stats.right_guesses) / static_cast<double>(stats.guesses);
    if (stats.guesses >= enough && share < least_share)
      return fmt::format(
                 "\nthe draft ({}) is of little use here: {} of {} tokens ({:.0f} %) were among "
                 "its guesses",
                 summary.draft, stats.right_guesses, stats.guesses, 100 * share) +
             head_remark(summary, stats.guesses);
  }
  return {};
}

/// Bytes that are no UTF-8 can't be in a JSON string.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The JSON of a run that did not start.
std::string json_of_nothing(Finish finish, const Json& error) {
  return dump(Json{{"prompt_tokens", 0},
                   {"kept_tokens", 0},
                   {"tokens", Json::array()},
                   {"text", ""},
                   {"finish_reason", name_of(finish)},
                   {"error", error},
                   {"stats", Json::object()}});
}

}  // namespace

std::string statistics_line(const Summary& summary) {
  const Report& report = summary.report;
  Rates rates(summary);
  auto line = fmt::format(
      "{} tokens ({}) after {} of the prompt{} | prefill {:.1f} tokens/s | decode {:.1f} tokens/s "
      "| "
      "accept length {:.2f}",
      report.tokens.size(), name_of(report.finish), report.prompt_tokens,
      summary.cached_tokens > 0 ? fmt::format(", {} of them kept", summary.cached_tokens) : "",
      rates.prefill, rates.decode, rates.accept_length);
  if (report.recoveries > 0)
    line += fmt::format(" | {} {}, paused {:.2f} s", report.recoveries,
                        report.recoveries == 1 ? "recovery" : "recoveries",
                        static_cast<double>(report.paused_us) / 1e6);
  if (!summary.stats.empty())
    line += " | busy:";
  for (std::size_t i = 0; i < summary.stats.size() && i < summary.hops.size(); ++i)
    line += fmt::format(" {} {:.0f} %{}", summary.hops[i].name,
                        busy_share(summary.stats[i], report) * 100,
                        i + 1 < summary.stats.size() ? "," : "");
  return line + step_remark(summary) + draft_remark(summary);
}

std::string json_text(const Summary& summary) {
  const Report& report = summary.report;
  Rates rates(summary);
  Json stats{{"mode", summary.mode},
             {"draft", summary.draft},
             {"prefill_ms", static_cast<double>(report.prefill_us) / 1e3},
             {"decode_ms", static_cast<double>(report.decode_us) / 1e3},
             {"prefill_tokens_per_second", rates.prefill},
             {"decode_tokens_per_second", rates.decode},
             {"recoveries", report.recoveries},
             {"paused_ms", static_cast<double>(report.paused_us) / 1e3},
             {"verifications", report.verifications},
             {"accept_length", rates.accept_length},
             {"hops", Json::array()}};
  for (std::size_t i = 0; i < summary.stats.size() && i < summary.hops.size(); ++i) {
    auto hop = json_of(summary.hops[i], summary.stats[i], report);
    if (auto time = segment_time(summary, i)) {
      hop["segment_ms"] = time->measured;
      hop["planned_segment_ms"] = time->planned;
    }
    stats["hops"].push_back(std::move(hop));
  }
  Json json{{"prompt_tokens", report.prompt_tokens},
            {"kept_tokens", summary.cached_tokens},
            {"tokens", report.tokens},
            {"text", summary.text},
            {"finish_reason", name_of(report.finish)},
            {"error", report.error.empty() ? Json(nullptr) : Json(report.error)},
            {"stats", std::move(stats)}};
  if (!summary.logprobs.empty() && summary.tokenizer != nullptr)
    json["logprobs"] = json_of(summary.logprobs, *summary.tokenizer);
  return dump(json);
}

std::string json_error(const std::string& error) {
  return json_of_nothing(Finish::failed, error);
}

std::string json_cancelled() {
  return json_of_nothing(Finish::cancelled, nullptr);
}

}  // namespace flowspec
