#include "runtime/bench/load_run.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "models/tokenizer/text_stream.hpp"
#include "runtime/bench/setup.hpp"
#include "runtime/bench/summary.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

namespace {

std::vector<Request> requests_of(const Engine& engine, const BenchCase& what,
                                 const std::vector<BenchPrompt>& prompts) {
  std::vector<Request> requests;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    requests.push_back(request_of(engine, what, prompts[i], i));
    requests.back().progress_limit = std::chrono::minutes(10);
    requests.back().close_limit = std::chrono::minutes(1);
  }
  return requests;
}

/// The prompts' tokens one after another, as often as it takes; one token follows.
Request long_request(const std::vector<Request>& requests, std::uint32_t tokens) {
  Request request = requests.front();
  request.prompt.clear();
  for (std::size_t i = 0; request.prompt.size() < tokens; i = (i + 1) % requests.size()) {
    const auto& more = requests[i].prompt;
    auto count = std::min<std::size_t>(more.size(), tokens - request.prompt.size());
    request.prompt.insert(request.prompt.end(), more.begin(),
                          more.begin() + static_cast<std::ptrdiff_t>(count));
  }
  request.max_tokens = 1;
  return request;
}

RequestRun run_of(const RequestLog& log, const Tokenizer& tokenizer) {
  TextStream stream(tokenizer);
  std::vector<std::size_t> bytes;
  for (Token token : log.report.tokens)
    bytes.push_back(tokenizer.is_end_of_text(token) ? 0 : stream.push(token).size());
  RequestRun run{log.report.prompt_tokens, log.arrived_s, log.begun_s, log.ended_s,
                 token_times(log, bytes)};
  // Exact, also where the first token has no text.
  if (!run.token_s.empty())
    run.token_s.front() = log.begun_s + static_cast<double>(log.report.prefill_us) * 1e-6;
  return run;
}

LongPromptRun long_prompt_of(const RequestLog& log, const Recording& recording) {
  LongPromptRun run;
  run.tokens = log.report.prompt_tokens;
  run.advances = log.advances;
  run.is_done = !log.report.tokens.empty();
  run.seconds = static_cast<double>(log.report.prefill_us) * 1e-6;
  auto known = recording.text_tokens(log.report.session);
  if (run.is_done)
    run.read = run.tokens;
  else if (known > 0)
    run.read = std::min<std::uint32_t>(known, run.tokens);
  return run;
}

/// What the stages did from the first token to the last.
void add_devices(const CarriedLoad& carried, LoadRun& load) {
  std::optional<std::pair<double, double>> span;
  for (const RequestRun& request : load.requests)
    if (!request.token_s.empty()) {
      auto [first, last] = span.value_or(std::pair{request.token_s[0], request.token_s[0]});
      span = {std::min(first, request.token_s.front()), std::max(last, request.token_s.back())};
    }
  if (!span || span->second <= span->first)
    return;
  auto moment = [&](double seconds) {
    return carried.zero + std::chrono::round<EmulationSpan>(std::chrono::duration<double>(seconds));
  };
  const DecodeWindow window{moment(span->first), moment(span->second)};
  BenchRun run;
  carried.recording->count({&window, 1}, run);
  double busy = 0;
  double useful = 0;
  std::uint32_t stages = 0;
  for (const DeviceUse& device : run.devices) {
    if (!is_stage(device.name))
      continue;
    ++stages;
    busy += device.busy_s;
    useful += device.busy_s - device.wasted_s;
  }
  double time = stages * (span->second - span->first);
  if (stages == 0 || busy <= 0)
    return;
  load.stages_busy = busy / time;
  load.stages_useful = useful / time;
}

}  // namespace

std::uint32_t longest_text(const Engine& engine, const BenchCase& what,
                           const std::vector<BenchPrompt>& prompts) {
  std::uint32_t tokens = what.load.long_prompt + 1;
  for (const Request& request : requests_of(engine, what, prompts))
    tokens =
        std::max(tokens, static_cast<std::uint32_t>(request.prompt.size()) + request.max_tokens);
  return tokens;
}

std::vector<std::vector<Token>> run_loads(const Engine& engine,
                                          const std::vector<BenchPrompt>& prompts,
                                          const LoadCarrier& carry, BenchRun& run) {
  const LoadPlan& plan = run.what.load;
  const auto requests = requests_of(engine, run.what, prompts);
  std::vector<std::vector<Token>> texts;
  for (std::size_t round = 0; round <= plan.at_once.size(); ++round) {
    bool is_alone = round == 0;
    LoadRun load;
    load.at_once =
        is_alone ? 1
                 : std::min(plan.at_once[round - 1], static_cast<std::uint32_t>(requests.size()));
    Load wanted{
        requests,
        LoadSchedule(requests.size(), load.at_once, is_alone ? 0 : plan.arrival, run.what.seed),
        std::nullopt};
    if (!is_alone && plan.long_prompt != 0)
      wanted.beside = long_request(requests, plan.long_prompt);
    auto carried = carry(std::move(wanted), round);
    std::vector<DecodeWindow> windows;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      RequestLog& log = carried.log.requests[i];
      load.requests.push_back(run_of(log, *requests[i].tokenizer));
      if (!is_alone) {
        check_same_text(log.report.tokens, texts[i],
                        fmt::format("request {} with {} at once", i + 1, load.at_once),
                        "when it is alone");
        continue;
      }
      auto begun = carried.zero +
                   std::chrono::round<EmulationSpan>(std::chrono::duration<double>(log.begun_s));
      windows.push_back(add_report(log.report, begun, i, run));
      texts.push_back(std::move(log.report.tokens));
    }
    if (is_alone)
      carried.recording->count(windows, run);
    if (carried.log.beside)
      load.long_prompt = long_prompt_of(*carried.log.beside, *carried.recording);
    add_devices(carried, load);
    run.loads.push_back(std::move(load));
  }
  return texts;
}

}  // namespace flowspec
