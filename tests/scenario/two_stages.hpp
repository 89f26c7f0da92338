#pragma once

#include <string>

#include "tests/scenario/stories.hpp"
#include "tests/support/oracle_draft.hpp"
#include "tests/support/pipeline_world.hpp"

namespace flowspec::test {

/// Number of tokens that a session of `submit` generates.
inline constexpr std::uint32_t tokens = 24;

inline constexpr OracleDraft::Skill always_right{1, 0};
inline constexpr OracleDraft::Skill always_wrong{0, 0};

/// Two stages, segments of at most eight rows, three in flight.
WorldOptions two_stages(OracleDraft::Skill skill);

/// Starts a session of the greedy tiny story.
SessionId submit(PipelineWorld& world);
/// Checks that the session ended with the text of plain decoding and left nothing behind.
void check_story(const PipelineWorld& world, SessionId session);

/// Delivers everything; messages of the channel `slow` only when nothing else is left.
void run_with_slow(PipelineWorld& world, const std::string& slow);

/// Two sessions, the first of which is known to the draft.
struct TwoSessions {
  PipelineWorld world{two_stages(always_right)};
  SessionId first = submit(world);
  SessionId second = submit(world);

  TwoSessions();
};

}  // namespace flowspec::test
