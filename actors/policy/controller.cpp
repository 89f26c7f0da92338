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

/// How much longer a draft forward may take than one of half the usual width, as a fraction of the
/// mean time.
constexpr double width_share = 0.15;

}  // namespace

Controller::Controller(const DraftPolicy& policy)
    : base_(policy),
      policy_(policy),
      speculating_(policy.mode->speculates()),
      tokens_until_probe_(first_probe_after) {
  decisions_.send_reach = policy.min_send_probability;
  decisions_.hold = policy.min_drafts_before_send;
}

void Controller::resume(const Learnt& learnt) {
  const auto is_sensible = [](double value) { return std::isfinite(value) && value > 0; };
  if (!base_.adaptive || !speculating_ || !is_sensible(learnt.guessed_rate) ||
      !is_sensible(learnt.plain_rate) || !is_sensible(learnt.shortest_trip))
    return;
  guessed_rate_ = learnt.guessed_rate;
  plain_rate_ = learnt.plain_rate;
  shortest_trip_ = learnt.shortest_trip;
  if (is_sensible(learnt.tokens_until_probe))
    tokens_until_probe_ =
        std::clamp(learnt.tokens_until_probe, first_probe_after, last_probe_after);
  speculating_ = guessed_rate_ >= plain_rate_;
  adjust();
}

std::optional<Controller::Learnt> Controller::learnt() const {
  if (guessed_rate_ <= 0 || plain_rate_ <= 0)
    return std::nullopt;
  return Learnt{guessed_rate_, plain_rate_, shortest_trip_, tokens_until_probe_};
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

void Controller::accepted(std::uint32_t tokens, Seconds now) {
  (speculating_ ? decisions_.guessed_tokens : decisions_.plain_tokens) += tokens;
  auto before = std::exchange(last_, now);
  if (!before || !base_.adaptive)
    return;
  double seconds = (now - *before).count();
  tokens_ = tokens_ * keep_rate + tokens;
  seconds_ = seconds_ * keep_rate + seconds;
  stretch_.add(tokens, seconds);
  speculating_ ? judge_speculation() : judge_plain();
  adjust();
}

void Controller::judge_speculation() {
  if (stretch_.moves < least_moves || stretch_.seconds <= 0)
    return;
  guessed_rate_ = stretch_.rate();
  if (std::exchange(probes_guessing_, false)) {
    bool lost = guessed_rate_ < plain_rate_;
    tokens_until_probe_ =
        lost ? std::min(2 * tokens_until_probe_, last_probe_after) : first_probe_after;
    if (lost)
      return speculate(false);
  }
  if (guessed_rate_ * shortest_trip_ >= doubt) {
    // Old values must not count for ever.
    stretch_ = {stretch_.tokens / 2, stretch_.seconds / 2, least_moves / 2};
  } else if (plain_rate_ == 0 || stretch_.tokens >= tokens_until_probe_) {
    probes_plain_ = true;
    speculate(false);
  }
}

void Controller::judge_plain() {
  if (stretch_.moves < first_moves + probe_moves || stretch_.seconds <= 0)
    return;
  plain_rate_ = stretch_.rate();
  if (std::exchange(probes_plain_, false)) {
    if (plain_rate_ > guessed_rate_)
      return;
    tokens_until_probe_ = std::min(2 * tokens_until_probe_, last_probe_after);
    speculate(true);
  } else if (stretch_.tokens >= tokens_until_probe_) {
    probes_guessing_ = true;
    speculate(true);
  }
}

void Controller::speculate(bool on) {
  speculating_ = on;
  stretch_ = {};
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

void Controller::adjust() {
  policy_ = base_;
  policy_.draft_width = draft_width();
  policy_.window = window();
  if (!speculating_) {
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
