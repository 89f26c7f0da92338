#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/verify/comparison.hpp"
#include "runtime/verify/goodness.hpp"
#include "runtime/verify/verify_plan.hpp"

namespace flowspec {

/// The texts of one pipeline, compared with plain decoding.
struct VerifyRun {
  VerifyCase what;
  /// At temperature 0, and sampled.
  Comparison greedy = {};
  Comparison sampled = {};
  /// How often the root moved; tokens / verifications is the accept length.
  std::uint64_t verifications = 0;
  /// Why the case could not be verified; empty: it was.
  std::string error = {};

  bool passed() const {
    return error.empty() && greedy.differences == 0 && sampled.differences == 0;
  }
};

/// Sampled texts of one pipeline, compared with the model's distribution.
struct VerifyFit {
  VerifyCase what;
  std::uint32_t prompts = 0;
  std::uint64_t texts = 0;
  /// Tokens of every text.
  std::uint32_t tokens = 0;
  std::uint64_t verifications = 0;
  ChiSquare test = {};
  std::string error = {};

  bool passed() const;
};

/// The share of choices of model and options for which a correct program fails the test; with the
/// same choice it always or never fails.
inline constexpr double least_p_value = 0.001;

struct VerifyReport {
  std::string model;
  std::string numerics;
  SamplerOptions sampling;
  std::vector<std::string> prompts;
  std::vector<VerifyRun> runs;
  std::vector<VerifyFit> fits;
  double seconds = 0;

  /// Also false if nothing was verified at all.
  bool passed() const;
};

/// The text of a token, for messages.
using TokenText = std::function<std::string(Token)>;

/// Lines of the table; each ends with a line break.
std::string verify_header(float temperature);
std::string verify_line(const VerifyRun& run);
/// The differences and failures of a run; empty if there are none.
std::string verify_findings(const VerifyRun& run, const VerifyReport& report,
                            const TokenText& text);
std::string verify_line(const VerifyFit& fit, float temperature);
/// One line: passed or not.
std::string verify_result(const VerifyReport& report);

std::string verify_json(const VerifyReport& report);

}  // namespace flowspec
