/// What `flowspec verify` computes, plans and shows, without what runs it.

#include <cmath>
#include <regex>
#include <sstream>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "models/sampling/sampler.hpp"
#include "models/sampling/text_sampler.hpp"
#include "runtime/console/text_table.hpp"
#include "runtime/verify/verify_report.hpp"
#include "tests/support/command_lines.hpp"

using namespace flowspec;
using test::check_error;

namespace {

CommandLine parse_line(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "verify");
  return test::parse_line(std::move(arguments));
}

bool is_in(const std::string& part, const std::string& text) {
  bool found = text.find(part) != std::string::npos;
  BOOST_CHECK_MESSAGE(found, "no \"" << part << "\" in: " << text);
  return found;
}

/// In one line, whose ends were between words.
std::string unwrapped(const std::string& text) {
  return std::regex_replace(text, std::regex("\n +|\n"), " ");
}

/// A model with three tokens: 0 and 1 are followed by anything, 2 ends the text.
const std::vector<float> tiny_logits{1.5F, 1.0F, -0.5F};
bool ends_tiny(Token token) {
  return token == 2;
}

/// Texts of at most three tokens, drawn at one temperature.
std::vector<std::vector<Token>> draw(std::uint64_t count, float temperature) {
  std::vector<std::vector<Token>> texts(count);
  for (std::uint64_t seed = 0; seed < count; ++seed)
    for (Position position = 10; position < 13; ++position) {
      texts[seed].push_back(
          sample(tiny_logits, {.temperature = temperature, .seed = seed}, position));
      if (ends_tiny(texts[seed].back()))
        break;
    }
  return texts;
}

ChiSquare fit(const std::vector<std::vector<Token>>& texts, float temperature) {
  auto next = [&](std::span<const Token>) {
    return token_probabilities(tiny_logits, {.temperature = temperature});
  };
  return chi_square(count_outcomes(texts, 3, next, ends_tiny));
}

VerifyReport sample_report() {
  VerifyReport report;
  report.model = "m.gguf";
  report.sampling = {.temperature = 0.8F, .seed = 1};
  report.prompts = {"first", "the second\nprompt"};
  VerifyRun run{.what = {"flowspec", "eagle", 4}};
  std::vector<Token> text{1, 2, 3};
  run.greedy.add(0, 5, text, text);
  run.sampled.add(1, 7, text, text);
  run.verifications = 3;
  report.runs.push_back(run);
  report.fits.push_back(
      {.what = run.what, .prompts = 1, .texts = 9, .tokens = 3, .test = {3, 4, 0.5}});
  return report;
}

std::string token_text(Token token) {
  return std::string("t").append(std::to_string(token));
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_tail_of_the_chi_square_distribution) {
  // Values of tables.
  BOOST_CHECK_CLOSE(chi_square_tail(3.841458820694124, 1), 0.05, 1e-8);
  BOOST_CHECK_CLOSE(chi_square_tail(18.307038053275146, 10), 0.05, 1e-8);
  BOOST_CHECK_CLOSE(chi_square_tail(149.4492527750264, 100), 0.001, 1e-6);
  BOOST_CHECK_CLOSE(chi_square_tail(70.06489492539978, 100), 0.99, 1e-6);
  BOOST_CHECK_CLOSE(chi_square_tail(4, 2), 100 * std::exp(-2) / 100, 1e-8);
  BOOST_CHECK(chi_square_tail(0, 5) == 1);
  BOOST_CHECK(chi_square_tail(7, 0) == 1);
  BOOST_CHECK(chi_square_tail(INFINITY, 5) == 0);
  BOOST_CHECK(chi_square_tail(1e5, 3) < 1e-300);
}

BOOST_AUTO_TEST_CASE(rare_outcomes_are_pooled_and_impossible_ones_fail) {
  auto fair = chi_square({{50, 45}, {50, 55}});
  BOOST_CHECK(fair.degrees_of_freedom == 1);
  BOOST_CHECK_CLOSE(fair.statistic, 1.0, 1e-9);
  auto pooled = chi_square({{90, 88}, {4, 5}, {3, 2}, {2, 5}, {1, 0}});
  BOOST_CHECK(pooled.degrees_of_freedom == 1);
  BOOST_CHECK_CLOSE(pooled.statistic, 4.0 / 90 + 4.0 / 10, 1e-9);
  BOOST_CHECK(chi_square({{100, 99}, {0, 1}}).p_value == 0);
  BOOST_CHECK(chi_square({{100, 100}}).p_value == 1);
  BOOST_CHECK(chi_square({}).p_value == 1);
}

BOOST_AUTO_TEST_CASE(probabilities_under_temperature_top_k_and_top_p) {
  std::vector<float> logits{0, std::log(4.0F), std::log(2.0F), std::log(1.0F)};
  auto plain = token_probabilities(logits, {.temperature = 1});
  BOOST_CHECK_CLOSE(plain[1], 0.5, 1e-4);
  BOOST_CHECK_CLOSE(plain[0], 0.125, 1e-4);
  auto cold = token_probabilities(logits, {.temperature = 0.5F});
  BOOST_CHECK_CLOSE(cold[1], 16.0 / 22, 1e-4);
  // Of two equal ones the lower stays.
  auto best = token_probabilities(logits, {.temperature = 1, .top_k = 3});
  BOOST_CHECK_CLOSE(best[0], 1.0 / 7, 1e-4);
  BOOST_CHECK(best[3] == 0);
  auto nucleus = token_probabilities(logits, {.temperature = 1, .top_p = 0.6F});
  BOOST_CHECK_CLOSE(nucleus[1], 4.0 / 6, 1e-4);
  BOOST_CHECK(nucleus[0] == 0);
}

BOOST_AUTO_TEST_CASE(probabilities_under_penalties_and_biases) {
  std::vector<float> logits{2, 1, -1, 0};
  SamplerOptions options{.temperature = 1};
  options.repetition_penalty = 2;
  options.frequency_penalty = 0.25F;
  options.presence_penalty = 0.5F;
  options.logit_bias = {{3, 1.5F}};
  // Token 0 is in the prompt, 2 in the answer, twice.
  auto shifted =
      token_probabilities(logits, options, std::vector<Token>{0}, std::vector<Token>{2, 2});
  auto plain = token_probabilities(std::vector<float>{1, 1, -3, 1.5F}, {.temperature = 1});
  for (std::size_t i = 0; i < logits.size(); ++i)
    BOOST_CHECK_CLOSE(shifted[i], plain[i], 1e-9);
}

BOOST_AUTO_TEST_CASE(texts_that_a_sampler_with_penalties_draws_follow_the_probabilities) {
  SamplerOptions options{.temperature = 1};
  options.repetition_penalty = 1.5F;
  options.frequency_penalty = 0.8F;
  options.presence_penalty = 0.4F;
  options.logit_bias = {{1, 0.3F}};
  const std::vector<Token> prompt{1, 0};
  auto draw_with = [&](const SamplerOptions& drawn) {
    std::vector<std::vector<Token>> texts(3000);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      auto with_seed = drawn;
      with_seed.seed = i;
      TextSampler sampler(with_seed, 2);
      sampler.follow(prompt);
      while (texts[i].size() < 3 && (texts[i].empty() || !ends_tiny(texts[i].back()))) {
        auto logits = tiny_logits;
        texts[i].push_back(
            sampler.choose(logits, texts[i], static_cast<Position>(2 + texts[i].size())).token);
      }
    }
    auto next = [&](std::span<const Token> tokens) {
      return token_probabilities(tiny_logits, options, prompt, tokens);
    };
    return chi_square(count_outcomes(texts, 3, next, ends_tiny)).p_value;
  };
  BOOST_TEST(draw_with(options) > 0.01);
  // Each of them is seen if it is missing.
  for (int missing = 0; missing < 4; ++missing) {
    auto wrong = options;
    wrong.repetition_penalty = missing == 0 ? 1 : wrong.repetition_penalty;
    wrong.frequency_penalty = missing == 1 ? 0 : wrong.frequency_penalty;
    wrong.presence_penalty = missing == 2 ? 0 : wrong.presence_penalty;
    wrong.logit_bias.resize(missing == 3 ? 0 : 1);
    BOOST_TEST(draw_with(wrong) < least_p_value);
  }
}

BOOST_AUTO_TEST_CASE(outcomes_are_split_where_they_are_frequent) {
  auto next = [](std::span<const Token> tokens) {
    return tokens.empty() ? std::vector<double>{0.5, 0.49, 0.01} : std::vector<double>{1, 0, 0};
  };
  std::vector<std::vector<Token>> texts(100, {0, 0});
  texts[0] = {1, 0};
  texts[1] = {2};
  texts[2] = {0, 1};
  auto outcomes = count_outcomes(texts, 2, next, ends_tiny);
  BOOST_REQUIRE(outcomes.size() == 4);
  BOOST_CHECK_CLOSE(outcomes[0].expected, 50, 1e-9);  // 0, 0
  BOOST_CHECK(outcomes[0].observed == 97);
  BOOST_CHECK(outcomes[1].expected == 0);  // 0, anything else
  BOOST_CHECK(outcomes[1].observed == 1);
  BOOST_CHECK(outcomes[2].observed == 1);  // 1, 0
  BOOST_CHECK_CLOSE(outcomes[3].expected, 1, 1e-6);
  BOOST_CHECK(outcomes[3].observed == 1);  // 2
}

BOOST_AUTO_TEST_CASE(samples_of_the_distribution_fit_and_others_do_not) {
  auto texts = draw(2000, 1);
  auto right = fit(texts, 1);
  BOOST_CHECK_MESSAGE(right.p_value > 0.01, right.p_value);
  BOOST_CHECK(right.degrees_of_freedom > 8);
  BOOST_CHECK(fit(texts, 0.8F).p_value < least_p_value);
  // The same texts, each twice: too even for a chance.
  for (std::size_t i = 0; i < texts.size() / 2; ++i)
    texts[i] = texts.front();
  BOOST_CHECK(fit(texts, 1).p_value < least_p_value);
}

BOOST_AUTO_TEST_CASE(texts_are_compared_token_by_token) {
  Comparison comparison;
  std::vector<Token> expected{4, 5, 6};
  comparison.add(0, 10, expected, expected);
  BOOST_CHECK(comparison.differences == 0 && comparison.tokens == 3 && !comparison.first);
  comparison.add(1, 20, expected, std::vector<Token>{4, 7, 6});
  BOOST_CHECK((comparison.first == Difference{1, 21, 5, 7}));
  comparison.add(2, 30, expected, std::vector<Token>{4, 5});
  comparison.add(3, 30, expected, std::vector<Token>{4, 5, 6, 9});
  BOOST_CHECK(comparison.differences == 3);
  BOOST_CHECK(comparison.tokens == 13);
  BOOST_CHECK(comparison.texts == 4);
  BOOST_CHECK((comparison.first == Difference{1, 21, 5, 7}));
  Comparison shorter;
  shorter.add(0, 30, expected, std::vector<Token>{4, 5});
  BOOST_CHECK((shorter.first == Difference{0, 32, 6, std::nullopt}));
}

BOOST_AUTO_TEST_CASE(every_combination_is_planned_and_plain_decoding_once) {
  auto cases = plan_verify({"ar", "flowspec"}, {"a", "b"}, {1, 2});
  BOOST_CHECK((cases == std::vector<VerifyCase>{{"ar", "none", 1},
                                                {"flowspec", "a", 1},
                                                {"flowspec", "b", 1},
                                                {"ar", "none", 2},
                                                {"flowspec", "a", 2},
                                                {"flowspec", "b", 2}}));
  using Counts = std::vector<std::uint32_t>;
  VerifyOptions options;
  BOOST_CHECK((verify_stages(options, 7, 0) == Counts{1, 2, 4, 7}));
  BOOST_CHECK((verify_stages(options, 5, 0) == Counts{1, 2, 4}));
  BOOST_CHECK((verify_stages(options, 5, 3) == Counts{1, 2, 3, 4}));
  BOOST_CHECK((verify_stages(options, 1, 0) == Counts{1}));
  options.stages = {3, 5};
  BOOST_CHECK((verify_stages(options, 5, 2) == Counts{3, 5}));
  check_error([&] { verify_stages(options, 4, 0); }, "--stages asks for 5 stages");
}

BOOST_AUTO_TEST_CASE(options_of_the_command) {
  auto line = parse_line({"--model",
                          "m.gguf",
                          "--draft",
                          "lookup",
                          "--draft",
                          "d.gguf",
                          "--stages",
                          "1,2,4",
                          "--modes",
                          "ar,flowspec",
                          "-t",
                          "0.7",
                          "--seed",
                          "9",
                          "-n",
                          "5",
                          "--prompts",
                          "p.txt",
                          "--prompt-count",
                          "2",
                          "--json",
                          "v.json",
                          "-q",
                          "--node",
                          "a",
                          "--node",
                          "b:5",
                          "--draws",
                          "60"});
  BOOST_REQUIRE(line.verify);
  const VerifyOptions& options = *line.verify;
  BOOST_CHECK(options.model == "m.gguf");
  BOOST_CHECK((options.drafts == std::vector<std::string>{"lookup", "d.gguf"}));
  BOOST_CHECK((options.stages == std::vector<std::uint32_t>{1, 2, 4}));
  BOOST_CHECK((options.modes == std::vector<std::string>{"ar", "flowspec"}));
  BOOST_CHECK((options.sampling == SamplerOptions{.temperature = 0.7F, .seed = 9}));
  BOOST_CHECK(options.max_tokens == 5 && options.prompts_file == "p.txt");
  BOOST_CHECK(options.prompt_count == 2 && options.json_file == "v.json" && options.quiet);
  BOOST_CHECK((options.nodes == std::vector<std::string>{"a", "b:5"}));
  BOOST_CHECK(options.draws == 60 && !options.controller);
  BOOST_CHECK(parse_line({}).verify);
  check_error([] { parse_line({"--modes", "fast"}); }, "fast");
  check_error([] { parse_line({"--stages", "0"}); }, "--stages");
  check_error([] { parse_line({"-t", "0"}); }, "--temperature is 0, but has to be above 0");
  check_error([] { parse_line({"--draws", "7"}); }, "--draws is 7");
  check_error([] { parse_line({"--draft", ""}); }, "--draft: is empty");
  check_error([] { parse_line({"--top-p", "2"}); }, "top");
}

BOOST_AUTO_TEST_CASE(a_report_says_what_passed_and_what_did_not) {
  auto report = sample_report();
  BOOST_CHECK(report.passed());
  BOOST_CHECK(verify_findings(report.runs[0], report, token_text).empty());
  is_in("flowspec  eagle                4", verify_line(report.runs[0]));
  is_in(" 2.00  ok", verify_line(report.runs[0]));
  is_in("p = 0.5000 (at least 0.001 is asked for): ok",
        unwrapped(verify_line(report.fits[0], 0.8F)));
  is_in("PASSED: 1 of 1 combinations", verify_result(report));

  auto other = report;
  other.runs[0].sampled.add(1, 7, std::vector<Token>{4, 5}, std::vector<Token>{4});
  BOOST_CHECK(!other.passed());
  is_in("DIFFERENT", verify_line(other.runs[0]));
  is_in(
      "first difference at temperature 0.8: prompt 2 (\"the second prompt\"), position 8: the "
      "text's end, plain decoding has 5 \"t5\"",
      unwrapped(verify_findings(other.runs[0], other, token_text)));
  is_in("FAILED: 0 of 1 combinations", verify_result(other));

  other = report;
  other.runs[0].error = "node x was lost";
  BOOST_CHECK(!other.passed());
  is_in("node x was lost", verify_findings(other.runs[0], other, token_text));
  is_in("FAILED", verify_line(other.runs[0]));

  other = report;
  other.fits[0].test.p_value = 1e-5;
  BOOST_CHECK(!other.passed());
  is_in("ANOTHER DISTRIBUTION", unwrapped(verify_line(other.fits[0], 1)));
  is_in("do not follow", unwrapped(verify_result(other)));

  BOOST_CHECK(!VerifyReport{}.passed());
}

BOOST_AUTO_TEST_CASE(a_report_fits_a_terminal) {
  auto report = sample_report();
  auto& run = report.runs[0];
  run.what = {"pruned-pp", "a-small-model-with-a-long-name.gguf", 4096};
  run.greedy.tokens = run.sampled.tokens = 9'999'998;
  run.verifications = 5'000'000;
  run.sampled.add(1, 7, std::vector<Token>{4, 5}, std::vector<Token>{4});
  run.error = "node a-board-with-a-long-name was lost: its connection broke, or it was silent";
  report.fits[0].what = run.what;
  const auto text = verify_header(0.85F) + verify_line(run) +
                    verify_findings(run, report, token_text) + verify_line(report.fits[0], 0.85F) +
                    verify_result(report);
  BOOST_TEST_MESSAGE(text);
  is_in("pruned-pp …long-name.gguf   4096 ", text);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    BOOST_CHECK_MESSAGE(width_of(line) <= usual_columns, line);
}

BOOST_AUTO_TEST_CASE(a_report_as_json) {
  auto report = sample_report();
  report.runs[0].greedy.add(1, 7, std::vector<Token>{4, 5}, std::vector<Token>{4});
  report.fits[0].test = {INFINITY, 2, 0};
  report.prompts[0] = "\xff";
  auto json = nlohmann::json::parse(verify_json(report));
  BOOST_CHECK(json.at("passed") == false);
  const auto& run = json.at("runs").at(0);
  BOOST_CHECK(run.at("mode") == "flowspec" && run.at("stages") == 4);
  BOOST_CHECK(run.at("greedy").at("differences") == 1);
  const auto& first = run.at("greedy").at("first_difference");
  BOOST_CHECK(first.at("position") == 8 && first.at("expected") == 5);
  BOOST_CHECK(first.at("actual").is_null());
  BOOST_CHECK(run.at("sampled").at("first_difference").is_null());
  const auto& fit = json.at("goodness_of_fit").at(0);
  BOOST_CHECK(fit.at("chi_square").is_null() && fit.at("p_value") == 0);
}
