#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <caf/fwd.hpp>

#include "runtime/cluster/cluster.hpp"
#include "runtime/verify/answers.hpp"
#include "runtime/verify/plain_decoder.hpp"
#include "runtime/verify/verify_report.hpp"

namespace flowspec {

/// Compares every pipeline that the options ask for with plain decoding.
class Verification {
 public:
  /// Opens the models and reads the prompts. Throws RuntimeError and ModelError, so that impossible
  /// options are found before anything is computed.
  explicit Verification(const VerifyOptions& options);
  ~Verification();
  Verification(const Verification&) = delete;
  Verification& operator=(const Verification&) = delete;

  /// The model that is verified; tests pass another one to `run`.
  const LanguageModel& model() const;
  const Cluster& cluster() const { return cluster_; }

  /// Called for every run when it is done.
  using Listener = std::function<void(const VerifyRun&, const VerifyReport&)>;

  /// Runs all cases. Failures during the runs are part of the report. `reference`: the model that
  /// plain decoding uses.
  VerifyReport run(caf::actor_system& system, const LanguageModel& reference,
                   const Listener& listener);

 private:
  const Engine& engine(const std::string& draft) const { return *engines_.at(draft); }
  void read_prompts();
  RunSpec run_spec(const VerifyCase& what) const;
  std::vector<Question> questions(bool sampled) const;
  void expect(PlainDecoder& plain);
  VerifyRun compare(Answers& answers, const VerifyCase& what) const;
  VerifyFit fit(Answers& answers, const VerifyCase& what, PlainDecoder& plain) const;
  VerifyCase fit_case() const;

  VerifyOptions options_;
  Cluster cluster_;
  /// By draft name, as in the options.
  std::map<std::string, std::unique_ptr<const Engine>> engines_;
  std::vector<VerifyCase> cases_;
  std::vector<std::string> prompt_texts_;
  std::vector<std::vector<Token>> prompts_;
  /// The texts of plain decoding, by prompt.
  std::vector<std::vector<Token>> greedy_;
  std::vector<std::vector<Token>> sampled_;
};

}  // namespace flowspec
