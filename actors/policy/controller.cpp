#include "actors/policy/controller.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "actors/policy/modes/mode.hpp"

namespace flowspec {

namespace {

/// Decay: the share of an old value that remains after each new one.
constexpr double keep_line = 0.98;
constexpr double keep_rate = 0.95;
constexpr double keep_duration = 0.9;

/// Moves of the root: those left out at the beginning of a stretch, those needed before a stretch
/// is judged, and those that are enough to judge plain decoding.
constexpr std::uint32_t first_moves = 2;
constexpr std::uint32_t least_moves = 12;
constexpr std::uint32_t probe_moves = 8;
/// Speculation is questioned when it is not faster than one token per shortest trip by this factor.
constexpr double doubt = 1.2;
constexpr double first_probe_after = 64;
constexpr double last_probe_after = 4096;

/// How long a segment should wait for guesses below a new root, as a fraction of the first stage's
/// time. Found by simulation of the published devices.
constexpr double hold_share = 0.3;
constexpr std::uint32_t longest_hold = 6;

/// How much longer a full segment may take than an empty one from one stage to the next, as a
/// fraction of the first stage's time. Rows beyond that arrive too late to be worth it. Found by
/// the same simulation, on slow links.
constexpr double link_share = 0.08;
constexpr double least_rows = 16;

/// How much longer a trip may take because of the rows of prompts that it carries, as a fraction of the
/// shortest trip; and the part of a segment that prompts have at least.
constexpr double prompt_share = 0.35;
constexpr std::uint32_t least_prompt_part = 8;

/// A session does not go by what another one has learnt for longer than so many tokens.
constexpr double longest_trust = 256;

/// How much longer a draft forward may take than one of half the usual width, as a fraction of the
/// mean time.
constexpr double width_share = 0.15;

}  // namespace

Controller::Controller(const DraftPolicy& policy) : base_(policy), policy_(policy) {
  next_.guesses = policy.mode->speculates();
  next_.tokens_until_probe = first_probe_after;
  decisions_.send_reach = policy.min_send_probability;
  decisions_.hold = policy.min_drafts_before_send;
}

void Controller::resume(const Learnt& learnt) {
  const auto is_sensible = [](double value) { return std::isfinite(value) && value > 0; };
  if (!base_.adaptive || !next_.guesses || !is_sensible(learnt.guessed_rate) ||
      !is_sensible(learnt.plain_rate) || !is_sensible(learnt.shortest_trip))
    return;
  next_.guessed_rate = learnt.guessed_rate;
  next_.plain_rate = learnt.plain_rate;
  shortest_trip_ = learnt.shortest_trip;
  if (is_sensible(learnt.tokens_until_probe))
    next_.tokens_until_probe =
        std::clamp(learnt.tokens_until_probe, first_probe_after, last_probe_after);
  next_.guesses = next_.guessed_rate >= next_.plain_rate;
  adjust();
}

std::optional<Controller::Learnt> Controller::learnt() const {
  const auto knows = [](const Text& text) { return text.guessed_rate > 0 && text.plain_rate > 0; };
  const Text* best = knows(next_) ? &next_ : nullptr;
  for (const auto& [session, text] : texts_)
    if (best == nullptr && knows(text))
      best = &text;
  if (best == nullptr)
    return std::nullopt;
  return Learnt{best->guessed_rate, best->plain_rate, shortest_trip_, best->tokens_until_probe};
}

void Controller::open(SessionId session) {
  Text text = next_;
  text.last.reset();
  // Beside others it may be another kind of text.
  if (!texts_.empty())
    text.tokens_until_probe = std::min(text.tokens_until_probe, longest_trust);
  texts_.insert_or_assign(session, text);
  idle();
  adjust();
}

void Controller::close(SessionId session) {
  auto text = texts_.extract(session);
  if (text.empty())
    return;
  next_ = text.mapped();
  adjust();
}

bool Controller::guesses(SessionId session) const {
  auto text = texts_.find(session);
  return text == texts_.end() || text->second.guesses;
}

/// Without sessions, as the next one will begin.
bool Controller::any_guesses() const {
  return texts_.empty() ? next_.guesses
                        : std::ranges::any_of(
                              texts_, [](const auto& entry) { return entry.second.guesses; });
}

void Controller::idle() {
  last_.reset();
}

void Controller::drafted(std::size_t rows, Seconds took) {
  draft_.add(took.count(), keep_duration);
  drafts_.add(static_cast<double>(rows), took.count());
}

void Controller::first_stage(std::uint32_t rows, Seconds took) {
  stage_.add(took.count(), keep_duration);
  forwards_.add(rows, took.count());
}

void Controller::verified(std::uint32_t rows, Seconds took) {
  constexpr double fade = 1.001;
  double trip = took.count();
  shortest_trip_ = shortest_trip_ > 0 ? std::min(shortest_trip_ * fade, trip) : trip;
  // Least squares for a line through the shortest trip, which is taken as that of a segment without
  // rows.
  delay_per_row_.sum_xx = delay_per_row_.sum_xx * keep_line + static_cast<double>(rows) * rows;
  delay_per_row_.sum_xy = delay_per_row_.sum_xy * keep_line + rows * (trip - shortest_trip_);
}

void Controller::Line::add(double x, double y) {
  n = n * keep_line + 1;
  sum_x = sum_x * keep_line + x;
  sum_y = sum_y * keep_line + y;
  sum_xx = sum_xx * keep_line + x * x;
  sum_xy = sum_xy * keep_line + x * y;
}

bool Controller::Line::is_known() const {
  // Segments of one size do not show what a row costs.
  return n >= 2 && n * sum_xx - sum_x * sum_x >= n * n;
}

double Controller::Line::slope() const {
  double spread = n * sum_xx - sum_x * sum_x;
  if (!is_known())
    return 0;
  return std::max(0.0, (n * sum_xy - sum_x * sum_y) / spread);
}

void Controller::Stretch::add(double gained, double took) {
  if (++moves <= first_moves)
    return;
  tokens += gained;
  seconds += took;
}

void Controller::accepted(SessionId session, std::uint32_t tokens, Seconds now) {
  auto found = texts_.find(session);
  if (found == texts_.end())
    return;
  Text& text = found->second;
  (text.guesses ? decisions_.guessed_tokens : decisions_.plain_tokens) += tokens;
  auto before = std::exchange(last_, now);
  auto own_before = std::exchange(text.last, now);
  if (!before || !base_.adaptive)
    return;
  tokens_ = tokens_ * keep_rate + tokens;
  seconds_ = seconds_ * keep_rate + (now - *before).count();
  if (own_before) {
    text.stretch.add(tokens, (now - *own_before).count());
    text.guesses ? judge_speculation(text) : judge_plain(text);
  }
  adjust();
}

void Controller::judge_speculation(Text& text) {
  Stretch& stretch = text.stretch;
  if (stretch.moves < least_moves || stretch.seconds <= 0)
    return;
  text.guessed_rate = stretch.rate();
  if (std::exchange(text.probes_guessing, false)) {
    bool lost = text.guessed_rate < text.plain_rate;
    text.tokens_until_probe =
        lost ? std::min(2 * text.tokens_until_probe, last_probe_after) : first_probe_after;
    if (lost)
      return speculate(text, false);
  }
  if (text.guessed_rate * shortest_trip_ >= doubt) {
    // Old values must not count for ever.
    stretch = {stretch.tokens / 2, stretch.seconds / 2, least_moves / 2};
  } else if (text.plain_rate == 0 || stretch.tokens >= text.tokens_until_probe) {
    text.probes_plain = true;
    speculate(text, false);
  }
}

void Controller::judge_plain(Text& text) {
  Stretch& stretch = text.stretch;
  if (stretch.moves < first_moves + probe_moves || stretch.seconds <= 0)
    return;
  text.plain_rate = stretch.rate();
  if (std::exchange(text.probes_plain, false)) {
    if (text.plain_rate > text.guessed_rate)
      return;
    text.tokens_until_probe = std::min(2 * text.tokens_until_probe, last_probe_after);
    speculate(text, true);
  } else if (stretch.tokens >= text.tokens_until_probe) {
    text.probes_guessing = true;
    speculate(text, true);
  }
}

void Controller::speculate(Text& text, bool on) {
  text.guesses = on;
  text.stretch = {};
  // With other sessions the rate of all goes on much as before.
  if (texts_.size() == 1)
    tokens_ = seconds_ = 0;
  ++decisions_.switches;
}

/// As many nodes as a draft forward computes in hardly more time.
std::uint32_t Controller::draft_width() const {
  if (base_.widest_draft <= base_.draft_width || !drafts_.is_known() || !draft_.get())
    return base_.draft_width;
  double row = drafts_.slope();
  double room = row > 0 ? width_share * *draft_.get() / row : base_.widest_draft;
  return static_cast<std::uint32_t>(
      std::min(base_.draft_width / 2.0 + room, static_cast<double>(base_.widest_draft)));
}

/// As many segments as the first stage computes in the time of a trip.
std::uint32_t Controller::window() const {
  if (!stage_.get() || *stage_.get() <= 0)
    return base_.window;
  double stages = std::min(std::round(shortest_trip_ / *stage_.get()),
                           static_cast<double>(base_.widest_window));
  return std::max(base_.window, static_cast<std::uint32_t>(stages));
}

/// As many as lengthen a trip by a bounded part.
std::uint32_t Controller::prompt_rows() const {
  double row = delay_per_row_.get();
  double rows = row > 0 ? prompt_share * shortest_trip_ / row : base_.segment_rows;
  double least = std::max(base_.segment_rows / least_prompt_part, 1U);
  return static_cast<std::uint32_t>(std::clamp<double>(rows, least, base_.segment_rows));
}

void Controller::adjust() {
  policy_ = base_;
  if (!base_.adaptive)
    return;
  policy_.draft_width = draft_width();
  policy_.window = window();
  policy_.prompt_rows = prompt_rows();
  if (!any_guesses()) {
    policy_.mode = &plain_decoding();
    policy_.min_send_probability = 1;
    policy_.min_drafts_before_send = 0;
  } else {
    double rate = seconds_ > 0 ? tokens_ / seconds_ : 0;
    double worth = std::min(rate * forwards_.slope(), 1.0);
    double worth_of_draft = std::min(rate * drafts_.slope(), 1.0);
    policy_.min_send_probability = std::max(base_.min_send_probability, worth);
    policy_.min_expand_probability =
        std::max({base_.min_expand_probability, worth, worth_of_draft});
    if (stage_.get() && draft_.get() && *draft_.get() > 0)
      policy_.min_drafts_before_send = static_cast<std::uint32_t>(std::clamp(
          std::round(hold_share * *stage_.get() / *draft_.get()), 1.0, double{longest_hold}));
    // Per hop and stage of the trip; there are as many stages as segments may be in flight.
    double link = delay_per_row_.get() / base_.window - forwards_.slope();
    double rows = stage_.get() && link > 0 ? link_share * *stage_.get() / link : base_.segment_rows;
    if (rows < base_.segment_rows)
      policy_.segment_rows = static_cast<std::uint32_t>(
          std::max(rows, std::min<double>(least_rows, base_.segment_rows)));
  }
  decisions_.send_reach = policy_.min_send_probability;
  decisions_.hold = policy_.min_drafts_before_send;
}

}  // namespace flowspec
