#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/verify/comparison.hpp"
#include "runtime/verify/goodness.hpp"
#include "runtime/verify/verify_plan.hpp"

namespace flowspec {

/// What one pipeline has written, against plain decoding.
struct VerifyRun {
  VerifyCase what;
  /// The likeliest token each time, and sampled.
  Comparison greedy = {};
  Comparison sampled = {};
  /// Times that the root moved; tokens / verifications is the accept length.
  std::uint64_t verifications = 0;
  /// Why it could not be verified; empty: it was.
  std::string error = {};

  bool passed() const {
    return error.empty() && greedy.differences == 0 && sampled.differences == 0;
  }
};

/// Sampled texts of one pipeline against the model's distribution.
struct VerifyFit {
  VerifyCase what;
  std::uint32_t prompts = 0;
  std::uint64_t texts = 0;
  /// Of every text.
  std::uint32_t tokens = 0;
  std::uint64_t verifications = 0;
  ChiSquare test = {};
  std::string error = {};

  bool passed() const;
};

/// A right program fails the test with this probability, for one choice of model and options; and
/// always or never with the same ones.
inline constexpr double least_p_value = 0.001;

struct VerifyReport {
  std::string model;
  std::string numerics;
  SamplerOptions sampling;
  std::vector<std::string> prompts;
  std::vector<VerifyRun> runs;
  std::vector<VerifyFit> fits;
  double seconds = 0;

  /// False also where nothing was verified at all.
  bool passed() const;
};

/// What a token stands for, for messages.
using TokenText = std::function<std::string(Token)>;

/// The table, in lines that end with a line break.
std::string verify_header(float temperature);
std::string verify_line(const VerifyRun& run);
/// What differs or has failed; empty if nothing.
std::string verify_findings(const VerifyRun& run, const VerifyReport& report,
                            const TokenText& text);
std::string verify_line(const VerifyFit& fit, float temperature);
/// One line: passed or not.
std::string verify_result(const VerifyReport& report);

std::string verify_json(const VerifyReport& report);

}  // namespace flowspec
