/// No session starves another: how segments and draft forwards are divided among sessions.
#include "actors/policy/fair_share.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include <boost/test/unit_test.hpp>

#include "actors/policy/drafter.hpp"
#include "actors/policy/modes/modes.hpp"

namespace flowspec::test {
namespace {

using Counts = std::vector<std::size_t>;

void check(const Counts& actual, const Counts& expected) {
  BOOST_TEST(actual == expected, boost::test_tools::per_element());
}

Demand prompt(std::size_t rows, std::vector<double> guesses = {}) {
  return {false, rows, std::move(guesses)};
}

Demand answer(bool root, std::vector<double> guesses = {}) {
  return {root, 0, std::move(guesses)};
}

/// A draft model that is never right.
class WrongDraft : public DraftModel {
 public:
  explicit WrongDraft(std::uint32_t feature_size) : feature_size_(feature_size) {}

  std::uint32_t feature_size() const override { return feature_size_; }
  std::uint32_t max_rows() const override { return 64; }
  void forward(std::span<const DraftRow> rows, std::span<const float>, std::uint32_t top_k,
               std::span<Candidate> candidates, std::span<float>) override {
    for (std::size_t i = 0; i < rows.size() * top_k; ++i)
      candidates[i] = {static_cast<Token>(1000 + i % top_k), -0.5F - static_cast<float>(i % top_k)};
  }

 private:
  std::uint32_t feature_size_;
};

/// The other end of a pipeline with one segment in flight: every segment is verified at once. The
/// target's token is always 7.
class Target {
 public:
  explicit Target(const DraftPolicy& policy, std::uint32_t feature_size = 0)
      : drafter_(policy, std::make_unique<WrongDraft>(feature_size)), feature_size_(feature_size) {}

  void open(SessionId id, std::size_t prompt_tokens) {
    Open open;
    open.session = id;
    open.root = 1;
    open.prompt.assign(prompt_tokens, 5);
    open.position_limit = static_cast<Position>(prompt_tokens + 1000);
    drafter_.open(open);
    sessions_[id].prompt = static_cast<Position>(prompt_tokens);
  }

  void guess_for(SessionId id, bool guesses) { drafter_.guess_for(id, guesses); }

  /// A draft forward where there is something to draft, then a segment; gives its rows.
  std::vector<Row> step() {
    draft();
    return send();
  }

  void draft() {
    if (!drafter_.can_draft())
      return;
    drafter_.begin();
    drafter_.finish();
  }

  std::vector<Row> send() {
    auto segment = drafter_.take_segment();
    for (auto& [id, session] : sessions_)
      verify(id, session, segment);
    BOOST_TEST(drafter_.broken_invariant().value_or("") == "");
    return segment.rows;
  }

  /// Tokens of the prompt that are committed, and tokens of the answer.
  Position read(SessionId id) const {
    const Session& session = sessions_.at(id);
    return std::min(session.root_position, session.prompt);
  }
  const Drafter::Foresight& foresight() const { return drafter_.foresight(); }
  Position written(SessionId id) const { return sessions_.at(id).root_position - read(id); }

 private:
  struct Session {
    Position prompt = 0;
    TreeNodeId root = 1;
    Position root_position = 0;
    TreeVersion version = 0;
    /// Rows that came and were not verified, since the tree goes on.
    std::vector<Row> rows;
  };

  void verify(SessionId id, Session& session, const Drafter::Outgoing& segment) {
    bool touched = false;
    for (const Row& row : segment.rows)
      if (row.session == id) {
        session.rows.push_back(row);
        touched = true;
      }
    if (!touched || segment.awaits_more)
      return;
    learn(id, session.rows);
    std::vector<TreeNodeId> path;
    auto next = session.root;
    auto position = session.root_position;
    for (const Row& row : session.rows)
      if (row.id == next && (path.empty() || row.position < session.prompt)) {
        path.push_back(next);
        position = row.position + 1;
        next = child(session, row);
      }
    if (path.empty())
      return;
    bool fresh = next == no_node;
    session.root = fresh ? first_fresh_node + ++fresh_ : next;
    session.root_position = position;
    Token token = position < session.prompt ? 5 : 7;
    Prune prune{id, ++session.version, path, {id, session.root, path.back(), token, position}};
    BOOST_TEST(drafter_.reroot(prune).value_or("") == "");
    session.rows.clear();
  }

  /// The prompt's next token, where it has come.
  static TreeNodeId child(const Session& session, const Row& parent) {
    auto found = std::find_if(session.rows.begin(), session.rows.end(), [&](const Row& row) {
      return row.parent == parent.id && row.position < session.prompt;
    });
    return found == session.rows.end() ? no_node : found->id;
  }

  void learn(SessionId id, const std::vector<Row>& rows) {
    if (feature_size_ == 0)
      return;
    Features features;
    features.session = id;
    for (const Row& row : rows)
      features.nodes.push_back(row.id);
    std::vector<float> values(rows.size() * feature_size_, 1);
    features.hidden = {static_cast<std::uint32_t>(rows.size()), feature_size_, values, nullptr};
    BOOST_TEST(drafter_.learn(features).value_or("") == "");
  }

  Drafter drafter_;
  std::uint32_t feature_size_;
  std::map<SessionId, Session> sessions_;
  TreeNodeId fresh_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(one_session_has_the_segment_for_itself) {
  check(divide_rows({{prompt(100)}}, 64), {64});
  check(divide_rows({{prompt(3, {0.5, 0.2})}}, 64), {5});
  check(divide_rows({{answer(true, {0.5, 0.2, 0.1})}}, 3), {3});
}

BOOST_AUTO_TEST_CASE(prompts_have_half_of_a_segment_and_what_answers_leave) {
  std::vector<double> many(100, 0.5);
  check(divide_rows({{prompt(100), answer(true, many)}}, 64), {32, 32});
  check(divide_rows({{prompt(100), answer(true, {0.5})}}, 64), {62, 2});
  check(divide_rows({{prompt(5), answer(true, many)}}, 64), {5, 59});
}

BOOST_AUTO_TEST_CASE(beside_answers_prompts_have_no_more_rows_than_allowed) {
  std::vector<double> many(100, 0.5);
  auto divide = [](const std::vector<Demand>& demands, std::size_t most) {
    return divide_rows(demands, 64, most);
  };
  check(divide({prompt(100), answer(true, many)}, 8), {8, 56});
  check(divide({prompt(100), answer(true, {0.5})}, 8), {8, 2});
  check(divide({prompt(100), prompt(100), answer(true)}, 9), {5, 4, 1});
  check(divide({prompt(5, {0.9}), answer(true, {0.5})}, 4), {4, 2});
  // The answer has nothing to send now; it waits for the segment all the same.
  check(divide({prompt(100)}, 8), {8});
}

BOOST_AUTO_TEST_CASE(prompts_share_alike) {
  check(divide_rows({{prompt(100), prompt(100)}}, 64), {32, 32});
  check(divide_rows({{prompt(100), prompt(4), prompt(100)}}, 64), {30, 4, 30});
  check(divide_rows({{prompt(100), prompt(100), prompt(100)}}, 64), {22, 21, 21});
}

BOOST_AUTO_TEST_CASE(roots_go_ahead_of_guesses_and_the_best_guesses_ahead_of_others) {
  check(divide_rows({{answer(true, {0.9, 0.8, 0.7}), answer(true, {0.1})}}, 4), {3, 1});
  check(divide_rows({{answer(false, {0.5, 0.3}), answer(false, {0.4, 0.2})}}, 3), {2, 1});
}

BOOST_AUTO_TEST_CASE(guesses_below_a_prompt_come_behind_all_of_it) {
  check(divide_rows({{prompt(4, {0.9}), answer(false, {0.1, 0.1, 0.1, 0.1})}}, 6), {3, 3});
  check(divide_rows({{prompt(4, {0.9}), answer(false, {0.1})}}, 6), {5, 1});
}

BOOST_AUTO_TEST_CASE(of_a_segment_that_is_too_small_for_all_the_first_in_turn_have_their_part) {
  check(divide_rows({{answer(true), answer(true), prompt(9)}}, 2), {1, 0, 1});
  check(divide_rows({{prompt(9), answer(true)}}, 1), {1, 0});
  check(divide_rows({{answer(true), prompt(9)}}, 1), {1, 0});
}

BOOST_AUTO_TEST_CASE(a_long_prompt_does_not_keep_a_later_session_waiting) {
  for (std::string_view mode : mode_names())
    for (std::uint32_t feature_size : {0U, 2U}) {
      BOOST_TEST_CONTEXT(mode << ", features of " << feature_size) {
        Target target{*mode_policy(mode, 4), feature_size};
        target.open(1, 30000);
        target.step();
        target.open(2, 10);
        for (int i = 0; i < 80; ++i)
          target.step();
        BOOST_TEST(target.written(2) >= 5);
        BOOST_TEST(target.read(1) > 0);
        BOOST_TEST(target.read(1) < 30000U);
      }
    }
}

BOOST_AUTO_TEST_CASE(a_prompt_moves_on_beside_sessions_that_write) {
  for (std::string_view mode : mode_names()) {
    BOOST_TEST_CONTEXT(mode) {
      Target target{*mode_policy(mode, 4)};
      for (SessionId id = 1; id <= 3; ++id)
        target.open(id, 5);
      for (int i = 0; i < 60; ++i)
        target.step();
      target.open(4, 2000);
      for (int i = 0; i < 800 && target.written(4) == 0; ++i)
        target.step();
      BOOST_TEST(target.written(4) > 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(more_sessions_than_a_segment_or_a_draft_forward_has_rows_take_turns) {
  for (std::string_view mode : mode_names()) {
    BOOST_TEST_CONTEXT(mode) {
      auto policy = *mode_policy(mode, 4);
      policy.segment_rows = 4;
      policy.draft_width = 2;
      Target target{policy};
      constexpr SessionId sessions = 9;
      for (SessionId id = 1; id <= sessions; ++id)
        target.open(id, 3);
      for (int i = 0; i < 1000; ++i)
        target.step();
      Position least = 1000;
      Position most = 0;
      for (SessionId id = 1; id <= sessions; ++id) {
        least = std::min(least, target.written(id));
        most = std::max(most, target.written(id));
      }
      BOOST_TEST(least >= 5U);
      BOOST_TEST(most <= 3 * least);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_prompt_beside_an_answer_moves_on_by_the_rows_that_it_may_have) {
  for (std::string_view mode : mode_names()) {
    BOOST_TEST_CONTEXT(mode) {
      auto policy = *mode_policy(mode, 4);
      policy.prompt_rows = 8;
      Target target{policy};
      target.open(1, 5);
      target.step();
      target.step();
      target.open(2, 4000);
      Position written = target.written(1);
      for (int i = 0; i < 60; ++i) {
        auto segment = target.step();
        BOOST_TEST(std::ranges::count(segment, SessionId{2}, &Row::session) <= 8);
      }
      BOOST_TEST(target.read(2) >= 8U * 20);
      // Rounds take several segments for a token, and turns with the prompt.
      BOOST_TEST(target.written(1) >= written + 4);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_segment_waits_for_all_whose_root_has_moved_but_not_for_long) {
  auto policy = *mode_policy("flowspec", 4);
  policy.draft_width = 1;
  Target target{policy};
  for (SessionId id = 1; id <= 3; ++id)
    target.open(id, 3);
  for (int i = 0; i < 5; ++i)
    target.step();
  BOOST_TEST(target.send().empty());
  // A forward has room for one of them.
  target.draft();
  BOOST_TEST(target.send().empty());
  target.draft();
  std::set<SessionId> sessions;
  for (const Row& row : target.send())
    sessions.insert(row.session);
  BOOST_TEST(sessions.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_session_without_guesses_writes_on_beside_one_with_guesses) {
  Target target{*mode_policy("flowspec", 4)};
  for (SessionId id = 1; id <= 2; ++id)
    target.open(id, 5);
  target.guess_for(1, false);
  for (int i = 0; i < 40; ++i)
    for (const Row& row : target.step())
      BOOST_TEST((row.session == 2 || row.token != 1000));
  BOOST_TEST(target.written(1) >= 30U);
  BOOST_TEST(target.written(2) >= 30U);
}

BOOST_AUTO_TEST_CASE(a_prompt_keeps_its_segments_full_though_each_is_back_before_the_next) {
  for (std::string_view mode : mode_names()) {
    BOOST_TEST_CONTEXT(mode) {
      Target target{*mode_policy(mode, 1)};
      target.open(1, 640);
      for (int i = 0; i < 10; ++i)
        BOOST_TEST(target.step().size() == 64U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_draft_that_is_never_right_is_known_to_be_so) {
  Target target{*mode_policy("flowspec", 4)};
  target.open(1, 10);
  for (int i = 0; i < 40; ++i)
    target.step();
  BOOST_TEST(target.foresight().asked >= 30U);
  BOOST_TEST(target.foresight().right == 0U);
}

}  // namespace flowspec::test
