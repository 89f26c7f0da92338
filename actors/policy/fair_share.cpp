#include "actors/policy/fair_share.hpp"

#include <algorithm>

namespace flowspec {

namespace {

class Division {
 public:
  Division(std::span<const Demand> demands, std::size_t rows)
      : demands_(demands), given_(demands.size()), left_(rows) {}

  void roots(std::size_t keep) {
    for (std::size_t i = 0; i < demands_.size() && left_ > keep; ++i)
      if (demands_[i].root)
        give(i);
  }

  void best_guesses(std::size_t keep) {
    while (left_ > keep) {
      auto best = demands_.size();
      for (std::size_t i = 0; i < demands_.size(); ++i)
        if (guess(i) != nullptr && (best == demands_.size() || *guess(i) > *guess(best)))
          best = i;
      if (best == demands_.size())
        return;
      give(best);
    }
  }

  /// The same number to each session; rows that some do not need go to the others.
  void prompts(std::size_t most) {
    for (bool any = true; any && left_ > 0 && most > 0;) {
      any = false;
      for (std::size_t i = 0; i < demands_.size() && left_ > 0 && most > 0; ++i)
        if (given_[i] < demands_[i].prompt_rows) {
          give(i);
          --most;
          any = true;
        }
    }
  }

  std::vector<std::size_t> result() { return std::move(given_); }

 private:
  void give(std::size_t i) {
    ++given_[i];
    --left_;
  }

  /// The session's next guess, if everything that has to leave ahead of it leaves.
  const double* guess(std::size_t i) const {
    const Demand& demand = demands_[i];
    auto ahead = demand.rows() - demand.guesses.size();
    bool any = given_[i] >= ahead && given_[i] < demand.rows();
    return any ? &demand.guesses[given_[i] - ahead] : nullptr;
  }

  std::span<const Demand> demands_;
  std::vector<std::size_t> given_;
  std::size_t left_;
};

}  // namespace

std::vector<std::size_t> divide_rows(std::span<const Demand> demands, std::size_t rows,
                                     std::size_t most_prompt) {
  std::size_t prompt_rows = 0;
  bool answers = false;
  for (const Demand& demand : demands) {
    prompt_rows += demand.prompt_rows;
    answers |= demand.prompt_rows == 0 && demand.rows() > 0;
  }
  // A single row cannot be halved: then the order of `demands` decides.
  if (answers && rows == 1)
    answers = demands.front().prompt_rows == 0;
  auto keep = std::min({prompt_rows, most_prompt, !answers ? rows : rows / 2});
  Division division(demands, rows);
  division.roots(keep);
  division.best_guesses(keep);
  division.prompts(most_prompt);
  division.best_guesses(0);
  return division.result();
}

}  // namespace flowspec
