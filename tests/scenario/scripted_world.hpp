#pragma once

#include <string>
#include <vector>

#include "tests/scenario/stories.hpp"
#include "tests/support/pipeline_world.hpp"
#include "tests/support/scripted_draft.hpp"

namespace flowspec::test {

using Ids = std::vector<TreeNodeId>;
using Tokens = std::vector<Token>;

/// A candidate of a scripted draft.
Candidate likely(Token token, double probability);
Ids ids_of(const std::vector<Row>& rows);
Tokens tokens_of(const std::vector<Row>& rows);
void check_ids(const Ids& actual, const Ids& expected);
void check_tokens(const Tokens& actual, const Tokens& expected);

/// A pipeline with one session of the greedy story and a draft whose guesses are a table. The test
/// controls every channel, including the draft's own steps.
struct ScriptedWorld {
  struct Setup {
    std::string mode = "flowspec";
    std::uint32_t stages = 2;
    std::uint32_t max_tokens = 12;
    /// The draft reads the target's features.
    bool features = false;
    std::uint32_t draft_width = 4;
    std::uint32_t top_k = 4;
    /// 0: the window of the mode.
    std::uint32_t window = 0;
    std::uint32_t segment_rows = 64;
  };

  explicit ScriptedWorld(const Setup& setup);
  ScriptedWorld(const ScriptedWorld&) = delete;
  ScriptedWorld& operator=(const ScriptedWorld&) = delete;

  /// The target's token `i` after the prompt, counted from 0; `right_path`: the first `count` of
  /// them.
  Token right(std::size_t i) const { return story.text[story.prompt.size() + i]; }
  Tokens right_path(std::size_t count) const;
  /// One of several tokens that the target does not write.
  Token wrong(std::size_t i) const;

  /// Delivers one message. Fails the test if none waits there, or if an invariant is broken.
  void deliver(const std::string& channel);
  bool waits(const std::string& channel) const;
  /// Runs the prompt until the first root has been sampled and all actors know it; nothing is
  /// drafted meanwhile.
  void finish_prompt();
  /// One draft forward: its computation, and its result.
  void draft();
  /// A segment goes from the draft to stage 0, and the pruner hears of it.
  std::vector<Row> send();
  /// Delivers everything; the session must end with the text of plain decoding.
  void finish();

  /// Ids of the live nodes of a hop.
  Ids live(std::uint32_t hop) const;
  /// How many tokens after the prompt a hop has committed.
  std::size_t committed(std::uint32_t hop) const;

  const Story& story = tiny_story(false);
  Setup setup;
  /// The draft's guesses; the test may change them between two forwards.
  ScriptedDraft::Table table;
  /// The rows that the draft was asked to continue, by forward.
  std::vector<std::vector<ScriptedDraft::Asked>> asked;
  PipelineWorld world;
  SessionId session;

 private:
  WorldOptions options();
};

}  // namespace flowspec::test
