#include "actors/policy/modes/mode.hpp"

#include "actors/policy/policy.hpp"

namespace flowspec {

bool Mode::waits_for_draft(const DraftPolicy& policy, const DraftTree& /*tree*/,
                           const DraftProgress& progress) const {
  return progress.forwards < policy.min_drafts_before_send;
}

}  // namespace flowspec
