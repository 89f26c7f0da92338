// Heads that compute logits for a part of the vocabulary.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/drafts/draft_output.hpp"
#include "models/drafts/eagle_head.hpp"
#include "models/formats/gguf.hpp"
#include "models/ops/packed/matrix.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/eagle_run.hpp"
#include "tests/support/eagle_target.hpp"
#include "tests/support/gguf_writer.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

using Tokens = std::vector<Token>;

/// Every third token, and the last.
Tokens some_tokens(std::uint32_t vocab_size) {
  Tokens tokens;
  for (Token token = 1; token < static_cast<Token>(vocab_size); token += 3)
    tokens.push_back(token);
  if (tokens.back() + 1 != static_cast<Token>(vocab_size))
    tokens.push_back(static_cast<Token>(vocab_size) - 1);
  return tokens;
}

/// What is left of the candidates.
std::vector<Candidate> among(std::vector<Candidate> candidates, const Tokens& tokens) {
  std::erase_if(candidates,
                [&](const Candidate& c) { return !std::ranges::binary_search(tokens, c.token); });
  return candidates;
}

struct World {
  explicit World(const EagleShape& shape) : target(shape) {
    std::mt19937 random(5);
    trees = {random_eagle_tree(random, shape.vocab_size, shape.hidden_size, 6, 12)};
    EagleFiles(shape, 3).write(folder.path());
  }

  std::vector<EagleResult> run(DraftOutput output, std::uint32_t top_k) const {
    EagleHead head(folder.path(), std::move(output), 1, 8);
    return run_eagle(head, trees, eagle_plan(nullptr, trees, 5), top_k).front();
  }

  EagleTarget target;
  TempFolder folder;
  std::vector<EagleTree> trees;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(draft_vocabulary)

BOOST_AUTO_TEST_CASE(a_head_guesses_the_best_of_its_tokens_as_with_all) {
  const EagleShape shape;
  const World world(shape);
  const Tokens tokens = some_tokens(shape.vocab_size);
  const auto all = world.run(world.target.lm_head(), shape.vocab_size);
  // It computes fewer rows at a time than the head.
  const auto part =
      world.run({world.target.file(), world.target.config(), tokens, 1, 3}, shape.vocab_size);
  BOOST_REQUIRE(part.size() == all.size());
  for (std::size_t node = 1; node < all.size(); ++node) {
    BOOST_TEST((part[node].feature == all[node].feature));
    const auto expected = among(all[node].candidates, tokens);
    const auto found = among(part[node].candidates, tokens);
    BOOST_REQUIRE(found.size() == tokens.size());
    BOOST_REQUIRE(expected.size() == tokens.size());
    double sum = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      BOOST_TEST(found[i].token == expected[i].token);
      // The others have no part of the probability.
      BOOST_TEST(std::abs((found[i].log_prob - found[0].log_prob) -
                          (expected[i].log_prob - expected[0].log_prob)) < 1e-4F);
      sum += std::exp(found[i].log_prob);
    }
    BOOST_TEST(std::abs(sum - 1) < 1e-4);
  }
}

BOOST_AUTO_TEST_CASE(noise_goes_by_the_targets_names) {
  const std::vector<float> logits{1, 0.5F, 0.9F, -2, 0.8F, 0.7F, 0.2F, 1.1F};
  const Tokens tokens{1, 2, 5, 7};
  DraftVocabulary part(tokens, logits.size());
  DraftVocabulary all({}, logits.size());
  BOOST_TEST(part.size() == 4U);
  BOOST_TEST(all.size() == 8U);
  std::vector<float> known;
  for (const Token token : tokens)
    known.push_back(logits[static_cast<std::size_t>(token)]);
  for (Position position = 0; position < 50; ++position) {
    const Guess guess{.sampling = {.temperature = 1, .seed = 3}, .position = position};
    std::vector<Candidate> found(4);
    std::vector<Candidate> expected(8);
    BOOST_TEST(part.choose(known, 4, guess, found) == 4U);
    BOOST_TEST(all.choose(logits, 8, guess, expected) == 8U);
    expected = among(expected, tokens);
    for (std::size_t i = 0; i < found.size(); ++i)
      BOOST_TEST(found[i].token == expected[i].token);
  }
}

BOOST_AUTO_TEST_CASE(more_candidates_than_tokens_are_not_invented) {
  DraftVocabulary part({4, 6}, 10);
  std::vector<Candidate> found(5, Candidate{-1, 0});
  BOOST_TEST(part.choose(std::vector<float>{1, 2}, 5, {}, found) == 2U);
  BOOST_TEST(found[0].token == 6);
  BOOST_TEST(found[1].token == 4);
  BOOST_TEST(found[2].token == -1);
}

BOOST_AUTO_TEST_CASE(a_token_has_the_same_logit_as_among_all) {
  for (const TensorType type : {TensorType::f16, TensorType::q8_0, TensorType::q4_0}) {
    const TempFolder folder;
    LlamaShape shape;
    write_llama_gguf(folder / "model.gguf", shape, {TensorType::f32, TensorType::f32, type}, 1);
    const GgufFile file = GgufFile::open(folder / "model.gguf");
    const ModelConfig config = read_config(file);
    const Tokens tokens = some_tokens(config.vocab_size);
    LmHead all(file, config, 1, 4);
    DraftOutput part(file, config, tokens, 1, 4);
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    std::vector<float> features(std::size_t{4} * config.hidden_size);
    std::ranges::generate(features, [&] { return normal(random); });
    std::vector<float> expected(std::size_t{4} * config.vocab_size);
    std::vector<float> found(4 * tokens.size());
    all.logits(features, 4, expected);
    part.logits(features, 4, found);
    for (std::size_t row = 0; row < 4; ++row)
      for (std::size_t i = 0; i < tokens.size(); ++i)
        BOOST_TEST(found[row * tokens.size() + i] ==
                   expected[row * config.vocab_size + static_cast<std::size_t>(tokens[i])]);
  }
}

BOOST_AUTO_TEST_CASE(a_part_needs_memory_for_its_rows_and_one_row_of_all_logits) {
  const TempFolder folder;
  LlamaShape shape;
  shape.hidden_size = 128;
  write_llama_gguf(folder / "model.gguf", shape,
                   {TensorType::f32, TensorType::f32, TensorType::f16}, 1);
  const GgufFile file = GgufFile::open(folder / "model.gguf");
  const ModelConfig config = read_config(file);
  const auto needed = [&](std::size_t tokens, LoadType type) {
    return DraftOutput::needed_bytes(file, config, tokens, type) -
           config.vocab_size * sizeof(float);
  };
  const std::uint64_t row = config.hidden_size * 2;
  BOOST_TEST(needed(96, LoadType::as_is) == 96 * row);
  BOOST_TEST(needed(96, LoadType::q8_0) == 96 * row / 64 * 34);
}

BOOST_AUTO_TEST_CASE(a_list_has_comments_and_any_order) {
  const TempFolder folder;
  write_file(folder / "list.txt", "# 3 tokens\n7 # \" the\"\n\n  2\r\n319#x");
  BOOST_TEST((read_token_list(folder / "list.txt", 320) == Tokens{2, 7, 319}));
}

BOOST_AUTO_TEST_CASE(mistakes_of_a_list_are_told_with_their_line) {
  const TempFolder folder;
  const auto file = folder / "list.txt";
  const auto check = [&](const std::string& text, std::vector<std::string> words) {
    write_file(file, text);
    words.push_back(file.string());
    check_error([&] { read_token_list(file, 320); }, words);
  };
  check("1\n320\n", {"line 2", "'320'", "320 tokens"});
  check("1\n-1\n", {"line 2", "'-1'"});
  check("1\n\nx\n", {"line 3", "'x'"});
  check("1 2 3\n", {"line 1", "'1 2 3'"});
  check("1.5\n", {"line 1", "'1.5'"});
  check("99999999999999999999\n", {"line 1"});
  check("5\n6\n5\n", {"line 3", "token 5 again"});
  check("# nothing\n", {"names no token"});
  check("\xff\x01\n", {"line 1"});
  check_error([&] { read_token_list(folder / "none.txt", 320); }, {"none.txt"});
}

BOOST_AUTO_TEST_SUITE_END()
