#pragma once
/// A drafter whose draft model remembers what it was asked.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include "actors/policy/drafter.hpp"
#include "actors/policy/modes/modes.hpp"

namespace flowspec::test {

inline constexpr float exact = 1000;

/// A draft whose features tell what they belong to: the target's feature of position p is
/// `exact + p`, the draft's own guess is p. It remembers what it was asked.
class FeatureReader : public DraftModel {
 public:
  struct Asked {
    Position position;
    Token token;
    float feature;
  };

  explicit FeatureReader(std::vector<Asked>& asked, std::vector<std::uint32_t> taps = {})
      : asked_(asked), taps_(std::move(taps)) {}

  std::uint32_t feature_size() const override { return 2; }
  std::span<const std::uint32_t> taps() const override { return taps_; }
  std::uint32_t tap_size() const override { return taps_.empty() ? 0 : 1; }
  /// Two taps of one float each are the feature.
  void read_taps(std::span<const float> values, std::size_t rows,
                 std::span<float> features) override {
    BOOST_REQUIRE(values.size() == 2 * rows);
    std::copy(values.begin(), values.end(), features.begin());
  }
  std::uint32_t max_rows() const override { return 64; }
  void forward(std::span<const DraftRow> rows, std::span<const float> features_in,
               std::uint32_t top_k, std::span<Candidate> candidates,
               std::span<float> features_out) override {
    BOOST_REQUIRE(features_in.size() == 2 * rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto position = rows[i].context.position;
      asked_.push_back({position, rows[i].token, features_in[2 * i]});
      features_out[2 * i] = static_cast<float>(position);
      // Token t is followed by 10 t + 1, 10 t + 2, ...: the name of a token is its path.
      for (std::uint32_t k = 0; k < top_k; ++k)
        candidates[i * top_k + k] = {rows[i].token * 10 + static_cast<Token>(k) + 1,
                                     -0.5F - static_cast<float>(k)};
    }
  }

 private:
  std::vector<Asked>& asked_;
  std::vector<std::uint32_t> taps_;
};

struct Fixture {
  explicit Fixture(DraftPolicy policy, std::vector<std::uint32_t> taps = {}) {
    policy.top_k = std::min(policy.top_k, 2U);
    drafter =
        std::make_unique<Drafter>(policy, std::make_unique<FeatureReader>(asked, std::move(taps)));
    Open open;
    open.session = 1;
    open.root = 1;
    open.prompt = {1, 2, 3};
    open.position_limit = 100;
    drafter->open(open);
  }

  std::vector<Row> send() { return drafter->take_segment().rows; }

  /// The target's features of rows that have come to the verifier.
  void learn(const std::vector<Row>& rows) {
    Features features;
    features.session = 1;
    std::vector<float> values;
    for (const Row& row : rows) {
      features.nodes.push_back(row.id);
      values.push_back(exact + static_cast<float>(row.position));
      values.push_back(0);
    }
    features.hidden = {static_cast<std::uint32_t>(rows.size()), 2, values, nullptr};
    BOOST_TEST(drafter->learn(features).value_or("") == "");
  }

  /// One of the two taps of these rows; the first is `exact` + position, the second does not matter.
  std::string learn_tap(const std::vector<Row>& rows, std::uint32_t tap) {
    Features features;
    features.session = 1;
    features.tap = tap;
    std::vector<float> values;
    for (const Row& row : rows) {
      features.nodes.push_back(row.id);
      values.push_back(tap == 0 ? exact + static_cast<float>(row.position) : 7);
    }
    features.hidden = {static_cast<std::uint32_t>(rows.size()), 1, values, nullptr};
    return drafter->learn(features).value_or("");
  }

  /// Commits these nodes; the new root is the node of that id, or a fresh one.
  void reroot(std::vector<TreeNodeId> path, TreeNodeId root, Token token, Position position) {
    if (root == no_node)
      root = first_fresh_node + position;
    Prune prune{1, ++version, path, {1, root, path.back(), token, position}};
    BOOST_TEST(drafter->reroot(prune).value_or("") == "");
    BOOST_TEST(drafter->broken_invariant().value_or("") == "");
  }

  /// One draft forward: what it was asked, as "position:token:feature".
  std::vector<std::string> draft() {
    asked.clear();
    BOOST_TEST(drafter->begin() > 0);
    drafter->finish();
    BOOST_TEST(drafter->broken_invariant().value_or("") == "");
    std::vector<std::string> texts;
    for (const auto& row : asked)
      texts.push_back(fmt::format("{}:{}:{}", row.position, row.token, row.feature));
    return texts;
  }

  /// The prompt has come back, and token 4 follows it.
  void prompt_back() {
    auto prompt = send();
    BOOST_REQUIRE(prompt.size() == 3);
    learn(prompt);
    reroot({1, 2, 3}, no_node, 4, 3);
  }

  std::vector<FeatureReader::Asked> asked;
  std::unique_ptr<Drafter> drafter;
  TreeVersion version = 0;
};

using Texts = std::vector<std::string>;

struct Flowspec : Fixture {
  Flowspec() : Fixture(*mode_policy("flowspec", 4)) {}
};

struct TwoTaps : Fixture {
  TwoTaps() : Fixture(*mode_policy("flowspec", 4), {3, 8}) {}
};

}  // namespace flowspec::test
