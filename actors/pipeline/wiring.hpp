#pragma once
/// The parts of a pipeline by number, and which of them send to which. Plain C++.

#include <cstdint>
#include <string>
#include <vector>

namespace flowspec {

/// Stages have the numbers 0 to stages - 1, then come these three, in the order of statistics.
class Wiring {
 public:
  explicit Wiring(std::size_t stages) : stages_(static_cast<std::uint32_t>(stages)) {}

  std::uint32_t stages() const { return stages_; }
  std::uint32_t verifier() const { return stages_; }
  std::uint32_t draft() const { return stages_ + 1; }
  std::uint32_t pruner() const { return stages_ + 2; }
  /// Of all.
  std::uint32_t parts() const { return stages_ + 3; }

  /// "stage 2", "verifier", "draft", "pruner".
  std::string name(std::uint32_t part) const;
  /// In a sentence: "stage 2", "the verifier", "the draft", "the tree pruner".
  std::string words(std::uint32_t part) const;
  /// Those that the part sends to.
  std::vector<std::uint32_t> receivers(std::uint32_t part) const;
  /// Those that send to the part.
  std::vector<std::uint32_t> senders(std::uint32_t part) const;

 private:
  std::uint32_t stages_;
};

}  // namespace flowspec
