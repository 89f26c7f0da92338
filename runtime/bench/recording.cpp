#include "runtime/bench/recording.hpp"

#include <algorithm>
#include <chrono>

namespace flowspec {

namespace {

using Kind = EmulatedWork::Kind;

double seconds(EmulationSpan span) {
  return std::chrono::duration<double>(span).count();
}

bool within(std::span<const DecodeWindow> windows, EmulationTime time) {
  return std::ranges::any_of(
      windows,
      [time](const DecodeWindow& window) { return time >= window.start && time < window.end; });
}

EmulationSpan overlap(std::span<const DecodeWindow> windows, const EmulatedWork& work) {
  EmulationSpan sum{};
  for (const DecodeWindow& window : windows)
    sum += std::max<EmulationSpan>(
        std::min(work.end, window.end) - std::max(work.start, window.start), EmulationSpan::zero());
  return sum;
}

/// The device with this name, added if it is new.
DeviceUse& device(BenchRun& run, const std::string& name) {
  auto found = std::ranges::find(run.devices, name, &DeviceUse::name);
  return found != run.devices.end() ? *found : run.devices.emplace_back(DeviceUse{name});
}

HopUse& hop(BenchRun& run, const EmulatedWork& work) {
  auto found = std::ranges::find_if(
      run.hops, [&](const HopUse& use) { return use.from == work.device && use.to == work.to; });
  return found != run.hops.end() ? *found : run.hops.emplace_back(HopUse{work.device, work.to});
}

TraceEvent::Kind kind_of(Kind kind) {
  switch (kind) {
    case Kind::segment:
      return TraceEvent::Kind::segment;
    case Kind::draft:
      return TraceEvent::Kind::draft;
    case Kind::verify:
      return TraceEvent::Kind::verify;
    case Kind::transfer:
      return TraceEvent::Kind::transfer;
    case Kind::prune:
      break;
  }
  return TraceEvent::Kind::prune;
}

}  // namespace

void Recording::worked(const EmulatedWork& work) {
  std::lock_guard lock(mutex_);
  works_.push_back(work);
}

void Recording::sent(SegmentId segment, const std::vector<Row>& rows) {
  std::lock_guard lock(mutex_);
  for (const Row& row : rows)
    sent_.emplace(std::pair{row.session, row.id}, SentRow{segment, row.position});
  // A session whose root never moves counts among the sessions too.
  for (const Row& row : rows)
    moves_.try_emplace(row.session);
}

void Recording::committed(const Prune& prune, EmulationTime at) {
  std::lock_guard lock(mutex_);
  const auto& path = prune.path;
  auto tokens = prune.root.position + 1;
  if (growth_.empty() || tokens > growth_.back().second)
    growth_.emplace_back(at, tokens);
  lengths_[prune.session] = tokens;
  for (TreeNodeId node : path)
    if (auto sent = sent_.find({prune.session, node}); sent != sent_.end())
      ++kept_[sent->second.segment];
  if (path.empty())
    return;
  if (auto root = sent_.find({prune.session, path.front()}); root != sent_.end())
    moves_[prune.session].push_back({root->second.position, static_cast<std::uint32_t>(path.size()),
                                     path.front() < first_fresh_node});
}

Position Recording::text_tokens() const {
  std::lock_guard lock(mutex_);
  return growth_.empty() ? 0 : growth_.back().second;
}

Position Recording::text_tokens(SessionId session) const {
  std::lock_guard lock(mutex_);
  auto found = lengths_.find(session);
  return found == lengths_.end() ? 0 : found->second;
}

std::optional<EmulationTime> Recording::grown_beyond(Position tokens) const {
  std::lock_guard lock(mutex_);
  auto found =
      std::ranges::find_if(growth_, [&](const auto& step) { return step.second > tokens; });
  return found == growth_.end() ? std::nullopt : std::optional(found->first);
}

double Recording::stage_seconds(std::span<const DecodeWindow> windows) const {
  std::lock_guard lock(mutex_);
  EmulationSpan sum{};
  for (const EmulatedWork& work : works_)
    if (work.kind == Kind::segment)
      sum += overlap(windows, work);
  return seconds(sum);
}

std::uint32_t Recording::rows_kept(const std::vector<SegmentId>& segments) const {
  std::uint32_t sum = 0;
  for (SegmentId segment : segments)
    if (auto kept = kept_.find(segment); kept != kept_.end())
      sum += kept->second;
  return sum;
}

std::vector<const EmulatedWork*> Recording::by_start() const {
  std::vector<const EmulatedWork*> sorted;
  for (const EmulatedWork& work : works_)
    sorted.push_back(&work);
  std::ranges::stable_sort(sorted, {}, [](const EmulatedWork* work) { return work->start; });
  return sorted;
}

void Recording::count(std::span<const DecodeWindow> windows, BenchRun& run) const {
  std::lock_guard lock(mutex_);
  for (const EmulatedWork* work : by_start()) {
    bool counts = within(windows, work->start);
    if (work->kind == Kind::transfer) {
      auto& use = hop(run, *work);
      use.segments += counts ? 1 : 0;
      use.seconds += counts ? seconds(work->end - work->start) : 0;
      continue;
    }
    if (work->kind == Kind::prune)
      continue;
    auto& use = device(run, work->device);
    auto busy = seconds(overlap(windows, *work));
    use.busy_s += busy;
    auto kept = rows_kept(work->segments);
    if (kept == 0 && !work->segments.empty())
      use.wasted_s += busy;
    if (!counts)
      continue;
    if (work->kind == Kind::verify)
      run.returned_segments += work->segments.size();
    use.segments += work->segments.size();
    // For the draft's device only the rows of the LM head count: the rows of draft forwards are of
    // another kind.
    use.rows_computed += work->kind == Kind::draft ? 0 : work->rows;
    use.rows_kept += work->rows > 0 ? kept : 0;
    use.rows_dropped += work->rows_dropped;
  }
  // Sorted by name: the order of first work depends on the prompt.
  std::ranges::sort(run.devices, {}, [](const DeviceUse& use) {
    return std::pair{use.name.size(), use.name};
  });
  count_guesses(run);
}

/// Each node of a move's path but the first was a right guess. Whether the token after the last one
/// had been guessed is told by the next move, which begins with it.
void Recording::count_guesses(BenchRun& run) const {
  auto prompt = run.prompts.begin();
  for (const auto& [session, moves] : moves_) {
    if (prompt == run.prompts.end())
      return;
    auto answer = prompt++->prompt_tokens;
    for (std::size_t i = 0; i + 1 < moves.size(); ++i) {
      const Move& move = moves[i];
      if (move.root < answer)
        continue;
      run.guesses.resize(std::max<std::size_t>(run.guesses.size(), move.length));
      for (std::uint32_t level = 0; level < move.length; ++level) {
        ++run.guesses[level].reached;
        run.guesses[level].right += level + 1 < move.length || moves[i + 1].was_guessed ? 1 : 0;
      }
    }
  }
}

std::vector<TraceEvent> Recording::trace(EmulationTime zero) const {
  std::lock_guard lock(mutex_);
  std::vector<TraceEvent> events;
  for (const EmulatedWork* work : by_start())
    events.push_back({kind_of(work->kind), work->device, work->to, seconds(work->start - zero),
                      seconds(work->end - zero),
                      work->segments.empty() ? SegmentId{0} : work->segments.front(), work->rows,
                      rows_kept(work->segments)});
  return events;
}

}  // namespace flowspec
