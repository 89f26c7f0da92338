#include "runtime/hop_bench/record_faults.hpp"

#include <algorithm>
#include <utility>

namespace flowspec {

std::vector<RecordFaults::Part> RecordFaults::take(std::string_view bytes) {
  std::vector<Part> parts;
  if (fault_ == RecordFault::none || count_ > faulty_) {
    parts.push_back({std::string(bytes)});
    return parts;
  }
  while (!bytes.empty() && count_ <= faulty_) {
    auto size = head_size;
    if (record_.size() >= head_size)
      size +=
          static_cast<unsigned char>(record_[3]) * 256U + static_cast<unsigned char>(record_[4]);
    auto missing = std::min(size - record_.size(), bytes.size());
    record_ += bytes.substr(0, missing);
    bytes.remove_prefix(missing);
    if (record_.size() == size && size > head_size)
      end_record(parts);
  }
  if (!bytes.empty())
    parts.push_back({std::string(bytes)});
  return parts;
}

void RecordFaults::end_record(std::vector<Part>& parts) {
  auto record = std::exchange(record_, {});
  if (count_++ != faulty_) {
    parts.push_back({std::move(record)});
    return;
  }
  switch (fault_) {
    case RecordFault::none:
    case RecordFault::drop:
      break;
    case RecordFault::cut:
      parts.push_back({record.substr(0, record.size() / 2), false, true});
      break;
    case RecordFault::delay:
      parts.push_back({std::move(record), true});
      break;
    case RecordFault::split:
      for (char byte : record)
        parts.push_back({std::string(1, byte)});
      break;
    case RecordFault::corrupt:
      record[record.size() / 2] = static_cast<char>(record[record.size() / 2] ^ 1);
      parts.push_back({std::move(record)});
      break;
    case RecordFault::repeat:
      parts.push_back({record + record});
      break;
  }
}

}  // namespace flowspec
