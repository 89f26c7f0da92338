#pragma once

#include <string>

#include "runtime/membership/invitation.hpp"
#include "runtime/membership/join_messages.hpp"

namespace flowspec {

/// Asks the inviter for a certificate for this key, which stays here. The secret is sent only to who
/// proves to be the owner of the cluster whose fingerprint the invitation has. Throws RuntimeError
/// with the reason, the inviter's own if it refuses.
JoinAnswer ask_to_join(const InvitationLine& invitation, const std::string& name,
                       const std::string& key);

}  // namespace flowspec
