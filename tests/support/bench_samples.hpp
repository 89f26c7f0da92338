#pragma once
/// A small benchmark whose figures can be computed by hand.

#include "runtime/bench/bench_run.hpp"

namespace flowspec::test {

inline BenchCase case_of(const char* profile, const char* ablation = "", const char* draft = "") {
  BenchCase what;
  what.profile = profile;
  what.ablation = ablation;
  what.draft = draft;
  return what;
}

/// Decode: 9 + 19 tokens in 3 + 4 s; prefill: 30 tokens in 3 s; 30 tokens by 12 verifications.
inline BenchRun sample_run(const BenchCase& what) {
  BenchRun run;
  run.what = what;
  run.prompts = {{10, 10, 4, 1, 3}, {20, 20, 8, 2, 4}};
  run.devices = {{"draft", 5, 0, 40, 400, 0, 0},
                 {"stage 0", 6, 2, 12, 100, 20, 5},
                 {"stage 1", 8, 1, 11, 90, 20, 10}};
  run.hops = {{"draft", "stage 0", 12, 0.6}, {"stage 0", "stage 1", 0, 0}};
  run.seconds = 10;
  run.returned_segments = 10;
  run.guesses = {{12, 9}, {6, 3}};
  return run;
}

inline std::vector<TraceEvent> sample_trace() {
  using Kind = TraceEvent::Kind;
  return {{Kind::draft, "draft", "", 0, 0.5, 0, 16, 0},
          {Kind::transfer, "draft", "stage 0", 0.5, 0.6, 7, 4, 0},
          {Kind::segment, "stage 0", "", 0.6, 1.6, 7, 4, 1},
          {Kind::segment, "stage 10", "", 1.6, 2.6, 7, 4, 0},
          {Kind::segment, "stage 2", "", 2.6, 3.6, 7, 4, 4},
          {Kind::verify, "draft", "", 3.6, 3.7, 7, 4, 0},
          {Kind::prune, "draft", "stage 0", 3.7, 3.75, 0, 0, 0},
          {Kind::prune, "draft", "stage 2", 3.7, 3.75, 0, 0, 0}};
}

}  // namespace flowspec::test
