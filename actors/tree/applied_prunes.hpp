#pragma once
/// Prunes that a hop has applied since its last segment. Prunes are sent directly, and once more
/// with the next segment or with the Close of their session, so that a late control message costs
/// rows and nothing else.

#include <utility>
#include <vector>

#include "messages/types.hpp"

namespace flowspec {

class AppliedPrunes {
 public:
  void add(const Prune& prune) { prunes_.push_back(prune); }

  /// All of them, for the next segment.
  const std::vector<Prune>& all() const { return prunes_; }
  /// Those of one session.
  std::vector<Prune> of(SessionId session) const {
    std::vector<Prune> found;
    for (const Prune& prune : prunes_)
      if (prune.session == session)
        found.push_back(prune);
    return found;
  }
  /// To be called after they were sent.
  void forget() { prunes_.clear(); }
  /// Both at once, where nothing can fail in between.
  std::vector<Prune> take() { return std::exchange(prunes_, {}); }

  /// Removes and returns those of a session that closes.
  std::vector<Prune> take(SessionId session) {
    std::vector<Prune> taken;
    std::erase_if(prunes_, [&](Prune& prune) {
      if (prune.session != session)
        return false;
      taken.push_back(std::move(prune));
      return true;
    });
    return taken;
  }

 private:
  std::vector<Prune> prunes_;
};

}  // namespace flowspec
