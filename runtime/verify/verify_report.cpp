#include "runtime/verify/verify_report.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/console/output.hpp"
#include "runtime/console/text_table.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t longest_draft = 15;
constexpr const char* line_format = "{:<9} {:<15} {:>6} {:>7} {:>6} {:>7} {:>6} {:>6}  {}\n";

double accept_length(std::uint64_t tokens, std::uint64_t verifications) {
  return verifications == 0 ? 0 : static_cast<double>(tokens) / static_cast<double>(verifications);
}

double accept_length(const VerifyRun& run) {
  return accept_length(run.greedy.tokens + run.sampled.tokens, run.verifications);
}

/// The end of a text, without line breaks.
std::string shown(const std::string& prompt) {
  constexpr std::size_t most = 40;
  auto begin = prompt.size() > most ? prompt.size() - most : 0;
  while (begin < prompt.size() && (static_cast<unsigned char>(prompt[begin]) & 0xC0) == 0x80)
    ++begin;
  auto text = (begin > 0 ? "..." : "") + prompt.substr(begin);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string shown(std::optional<Token> token, const TokenText& text) {
  return token ? fmt::format("{} \"{}\"", *token, text(*token)) : std::string("the text's end");
}

std::string findings(const Comparison& comparison, const std::string& how,
                     const VerifyReport& report, const TokenText& text) {
  if (!comparison.first)
    return {};
  const Difference& first = *comparison.first;
  return fmt::format(
      "  first difference {}: prompt {} (\"{}\"), position {}: {}, plain decoding has {}\n", how,
      first.prompt + 1, shown(report.prompts.at(first.prompt)), first.position,
      shown(first.actual, text), shown(first.expected, text));
}

Json json_of(const VerifyCase& what) {
  return {{"mode", what.mode}, {"draft", what.draft}, {"stages", what.stages}};
}

Json json_of(std::optional<Token> token) {
  return token ? Json(*token) : Json(nullptr);
}

Json json_of(const Comparison& comparison) {
  Json first;
  if (const auto& difference = comparison.first)
    first = {{"prompt", difference->prompt},
             {"position", difference->position},
             {"expected", json_of(difference->expected)},
             {"actual", json_of(difference->actual)}};
  return {{"texts", comparison.texts},
          {"tokens", comparison.tokens},
          {"differences", comparison.differences},
          {"first_difference", first}};
}

Json json_of_error(const std::string& error) {
  return error.empty() ? Json(nullptr) : Json(error);
}

}  // namespace

bool VerifyFit::passed() const {
  return error.empty() && test.p_value >= least_p_value;
}

bool VerifyReport::passed() const {
  auto passed = [](const auto& part) { return part.passed(); };
  return !runs.empty() && std::all_of(runs.begin(), runs.end(), passed) &&
         std::all_of(fits.begin(), fits.end(), passed);
}

std::string verify_header(float temperature) {
  auto sampled = fmt::format("T={:.3g}", temperature);
  return fmt::format(line_format, "", "", "", "T=0", "", sampled, "", "ACCEPT", "") +
         fmt::format(line_format, "MODE", "DRAFT", "STAGES", "TOKENS", "DIFFER", "TOKENS", "DIFFER",
                     "LENGTH", "RESULT");
}

std::string verify_line(const VerifyRun& run) {
  const char* result = !run.error.empty() ? "FAILED" : run.passed() ? "ok" : "DIFFERENT";
  return fmt::format(line_format, run.what.mode, end_of(run.what.draft, longest_draft),
                     run.what.stages, run.greedy.tokens, run.greedy.differences, run.sampled.tokens,
                     run.sampled.differences, fmt::format("{:.2f}", accept_length(run)), result);
}

std::string verify_findings(const VerifyRun& run, const VerifyReport& report,
                            const TokenText& text) {
  auto sampled = fmt::format("at temperature {:.3g}", report.sampling.temperature);
  auto lines = findings(run.greedy, "at temperature 0", report, text) +
               findings(run.sampled, sampled, report, text);
  if (!run.error.empty())
    lines += fmt::format("  {}\n", run.error);
  return wrap(lines, usual_columns);
}

std::string verify_line(const VerifyFit& fit, float temperature) {
  auto line = fmt::format(
      "{} texts of {} tokens, sampled at temperature {:.3g} by {} ({}, stages "
      "{}), against the model's probabilities: ",
      fit.texts, fit.tokens, temperature, fit.what.mode, fit.what.draft, fit.what.stages);
  if (!fit.error.empty())
    return wrap(line + fmt::format("FAILED: {}\n", fit.error), usual_columns);
  line += fmt::format(
      "chi-square {:.1f} with {} degrees of freedom, p = {:.4f} (at least {} is "
      "asked for): {}\n",
      fit.test.statistic, fit.test.degrees_of_freedom, fit.test.p_value, least_p_value,
      fit.passed() ? "ok" : "ANOTHER DISTRIBUTION");
  return wrap(line, usual_columns);
}

std::string verify_result(const VerifyReport& report) {
  auto ok = std::count_if(report.runs.begin(), report.runs.end(),
                          [](const VerifyRun& run) { return run.passed(); });
  std::string fits;
  if (!report.fits.empty())
    fits = std::all_of(report.fits.begin(), report.fits.end(),
                       [](const VerifyFit& fit) { return fit.passed(); })
               ? ", and samples follow the model's distribution"
               : ", but samples do not follow the model's distribution";
  return wrap(
      fmt::format("{}: {} of {} combinations write what plain decoding writes{} ({:.0f} s)\n",
                  report.passed() ? "PASSED" : "FAILED", ok, report.runs.size(), fits,
                  report.seconds),
      usual_columns);
}

std::string verify_json(const VerifyReport& report) {
  const auto& how = report.sampling;
  auto biases = Json::array();
  for (const TokenBias& biased : how.logit_bias)
    biases.push_back({{"token", biased.token}, {"bias", biased.bias}});
  Json json{{"passed", report.passed()},
            {"model", report.model},
            {"numerics", report.numerics},
            {"sampling",
             {{"temperature", how.temperature},
              {"top_k", how.top_k},
              {"top_p", how.top_p},
              {"min_p", how.min_p},
              {"repetition_penalty", how.repetition_penalty},
              {"frequency_penalty", how.frequency_penalty},
              {"presence_penalty", how.presence_penalty},
              {"logit_bias", std::move(biases)},
              {"seed", how.seed}}},
            {"prompts", report.prompts},
            {"runs", Json::array()},
            {"goodness_of_fit", Json::array()},
            {"seconds", report.seconds}};
  for (const VerifyRun& run : report.runs) {
    auto entry = json_of(run.what);
    entry["greedy"] = json_of(run.greedy);
    entry["sampled"] = json_of(run.sampled);
    entry["accept_length"] = accept_length(run);
    entry["error"] = json_of_error(run.error);
    entry["passed"] = run.passed();
    json["runs"].push_back(std::move(entry));
  }
  for (const VerifyFit& fit : report.fits) {
    auto entry = json_of(fit.what);
    entry["prompts"] = fit.prompts;
    entry["texts"] = fit.texts;
    entry["tokens_per_text"] = fit.tokens;
    entry["verifications"] = fit.verifications;
    // JSON has no infinity.
    entry["chi_square"] =
        std::isfinite(fit.test.statistic) ? Json(fit.test.statistic) : Json(nullptr);
    entry["degrees_of_freedom"] = fit.test.degrees_of_freedom;
    entry["p_value"] = fit.test.p_value;
    entry["least_p_value"] = least_p_value;
    entry["error"] = json_of_error(fit.error);
    entry["passed"] = fit.passed();
    json["goodness_of_fit"].push_back(std::move(entry));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace flowspec
