#include "models/drafts/prompt_lookup.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace flowspec {
namespace {

constexpr std::uint32_t longest_ngram = 16;

/// The latest tokens of prefix and tail as one sequence.
class History {
 public:
  History(std::span<const Token> prefix, std::span<const Token> tail, std::size_t limit)
      : tail_(tail.last(std::min(tail.size(), limit))),
        prefix_(prefix.last(std::min(prefix.size(), limit - tail_.size()))) {}

  std::size_t size() const { return prefix_.size() + tail_.size(); }
  Token operator[](std::size_t i) const {
    return i < prefix_.size() ? prefix_[i] : tail_[i - prefix_.size()];
  }

 private:
  std::span<const Token> tail_;
  std::span<const Token> prefix_;
};

/// An earlier place whose last `length` tokens are those at the end of the history.
struct Match {
  Token follower;
  std::uint32_t length;
  std::size_t position;
};

std::vector<Match> find_matches(const History& history, std::uint32_t min_length,
                                std::uint32_t max_length) {
  std::vector<Match> matches;
  const std::size_t last = history.size() - 1;
  const Token wanted = history[last];
  for (std::size_t i = 0; i < last; ++i) {
    if (history[i] != wanted)
      continue;
    std::uint32_t length = 1;
    while (length < max_length && length <= i && history[i - length] == history[last - length])
      ++length;
    if (length >= min_length)
      matches.push_back({history[i + 1], length, i});
  }
  return matches;
}

/// A token that followed, and how often it did for each length.
struct Follower {
  Token token = 0;
  std::size_t last_position = 0;
  std::array<std::uint32_t, longest_ngram + 1> counts{};
  double probability = 0;
};

/// Groups matches by the token that followed. A match of length n is also a match of each shorter
/// length.
std::vector<Follower> count_followers(std::vector<Match>& matches) {
  std::ranges::sort(matches, [](const Match& a, const Match& b) {
    return a.follower < b.follower || (a.follower == b.follower && a.position < b.position);
  });
  std::vector<Follower> followers;
  for (const Match& match : matches) {
    if (followers.empty() || followers.back().token != match.follower) {
      followers.emplace_back();
      followers.back().token = match.follower;
    }
    followers.back().last_position = match.position;
    for (std::uint32_t n = 1; n <= match.length; ++n)
      ++followers.back().counts[n];
  }
  return followers;
}

}  // namespace

PromptLookup::PromptLookup(const PromptLookupOptions& options) : options_(options) {
  options_.max_ngram = std::clamp(options_.max_ngram, 1U, longest_ngram);
  options_.min_ngram = std::clamp(options_.min_ngram, 1U, options_.max_ngram);
}

void PromptLookup::propose(std::span<const Token> prefix, std::span<const Token> tail,
                           std::vector<Candidate>& out) const {
  out.clear();
  const History history(prefix, tail, options_.max_history);
  if (history.size() < 2)
    return;
  std::vector<Match> matches = find_matches(history, options_.min_ngram, options_.max_ngram);
  std::vector<Follower> followers = count_followers(matches);
  for (std::uint32_t n = options_.min_ngram; n <= options_.max_ngram; ++n) {
    double total = 0;
    double distinct = 0;
    for (const Follower& follower : followers) {
      total += follower.counts[n];
      distinct += follower.counts[n] != 0 ? 1 : 0;
    }
    if (total == 0)
      break;  // nor does any longer n-gram occur
    const double escape = distinct + (options_.max_ngram - n);
    for (Follower& follower : followers) {
      follower.probability =
          (follower.counts[n] + escape * follower.probability) / (total + escape);
    }
  }
  std::ranges::sort(followers, [](const Follower& a, const Follower& b) {
    return a.probability > b.probability ||
           (a.probability == b.probability && a.last_position > b.last_position);
  });
  followers.resize(std::min<std::size_t>(followers.size(), options_.max_candidates));
  for (const Follower& follower : followers)
    out.push_back({follower.token, static_cast<float>(std::log(follower.probability))});
}

}  // namespace flowspec
