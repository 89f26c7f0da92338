#pragma once
/// Finds the records of TLS in a stream of bytes, and does something to one of them.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/hop_bench/relay.hpp"

namespace flowspec {

/// Of one direction of a connection.
class RecordFaults {
 public:
  RecordFaults(RecordFault fault, std::size_t record) : fault_(fault), faulty_(record) {}

  /// What is to be sent on.
  struct Part {
    std::string bytes;
    bool is_late = false;
    /// The connection ends after it.
    bool is_last = false;
  };
  std::vector<Part> take(std::string_view bytes);

 private:
  static constexpr std::size_t head_size = 5;

  void end_record(std::vector<Part>& parts);

  RecordFault fault_;
  std::size_t faulty_;
  std::size_t count_ = 0;
  /// Of the current record.
  std::string record_;
};

}  // namespace flowspec
