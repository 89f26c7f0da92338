#include "actors/cluster/wire/lanes.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace flowspec {

namespace {

/// What the claim of a peer may make us take at once.
constexpr std::size_t most_reserved = 8 << 20;

}  // namespace

void SpareBuffers::give(std::vector<char> buffer) {
  // What is small costs little; what is very large should not stay.
  if (buffer.capacity() < least_bytes || buffer.capacity() > most_bytes || buffers_.size() == most)
    return;
  buffer.clear();
  buffers_.push_back(std::move(buffer));
}

std::vector<char> SpareBuffers::take() {
  if (buffers_.empty())
    return {};
  auto buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

std::string encode(const PieceHead& head) {
  auto flags = static_cast<std::uint8_t>((head.is_first ? 1U : 0U) | (head.is_last ? 2U : 0U));
  ByteWriter writer;
  writer.number(static_cast<std::uint8_t>(head.kind)).number(flags).number(std::uint16_t{0});
  return writer.number(head.length).take();
}

std::optional<PieceHead> read_piece_head(Bytes bytes) {
  ByteReader reader(bytes);
  auto kind = reader.number<std::uint8_t>();
  auto flags = reader.number<std::uint8_t>();
  auto padding = reader.number<std::uint16_t>();
  auto length = reader.number<std::uint32_t>();
  if (!reader.ok() || kind > static_cast<std::uint8_t>(PieceKind::farewell) || flags > 3 ||
      padding != 0 || length > most_piece_bytes)
    return std::nullopt;
  return PieceHead{static_cast<PieceKind>(kind), (flags & 1U) != 0, (flags & 2U) != 0, length};
}

void OutgoingLanes::push(Lane lane, std::vector<char> frame) {
  if (frame.empty())
    return;
  bytes_ += frame.size();
  queues_[static_cast<std::size_t>(lane)].push_back({std::move(frame), 0});
}

void OutgoingLanes::drop_sent() {
  for (auto& queue : queues_)
    if (!queue.empty() && queue.front().sent == queue.front().bytes.size()) {
      bytes_ -= queue.front().bytes.size();
      spare_.give(std::move(queue.front().bytes));
      queue.pop_front();
    }
}

std::optional<OutgoingLanes::Piece> OutgoingLanes::next(std::size_t most) {
  // Not earlier: the piece that was sent last borrowed the frame's bytes.
  drop_sent();
  for (auto lane : {Lane::control, Lane::data}) {
    auto& queue = queues_[static_cast<std::size_t>(lane)];
    if (queue.empty())
      continue;
    Frame& frame = queue.front();
    auto rest = bytes_of({frame.bytes.data(), frame.bytes.size()}).subspan(frame.sent);
    auto bytes = rest.first(std::min({rest.size(), most, std::size_t{most_piece_bytes}}));
    PieceHead head{static_cast<PieceKind>(lane), frame.sent == 0, bytes.size() == rest.size(),
                   static_cast<std::uint32_t>(bytes.size())};
    frame.sent += bytes.size();
    return Piece{head, bytes};
  }
  return std::nullopt;
}

void OutgoingLanes::clear() {
  for (auto& queue : queues_)
    queue.clear();
  bytes_ = 0;
}

IncomingLanes::Result IncomingLanes::take(const PieceHead& head, Bytes bytes) {
  Result result;
  if (head.kind != PieceKind::control && head.kind != PieceKind::data) {
    result.problem = "a piece of no lane";
    return result;
  }
  result.lane = static_cast<Lane>(head.kind);
  Part& part = parts_[static_cast<std::size_t>(result.lane)];
  if (head.is_first == part.is_open) {
    result.problem = head.is_first ? "a frame that begins within another of its lane"
                                   : "a piece of a frame that has not begun";
    return result;
  }
  if (head.is_first) {
    auto size = judge_(result.lane, bytes);
    if (!size) {
      result.problem = "a frame that is refused";
      return result;
    }
    part.size = *size;
    part.is_open = true;
    part.bytes = spare_.take();
    part.bytes.reserve(std::min(*size, most_reserved));
  }
  auto left = part.size - part.bytes.size();
  if (bytes.empty() || bytes.size() > left || head.is_last != (bytes.size() == left)) {
    result.problem =
        fmt::format("a piece of {} bytes where its frame has {} left", bytes.size(), left);
    return result;
  }
  // Beyond that, memory grows with what has come, not with what is claimed.
  const auto* begin = reinterpret_cast<const char*>(bytes.data());
  part.bytes.insert(part.bytes.end(), begin, begin + bytes.size());
  if (head.is_last) {
    result.frame = std::move(part.bytes);
    part = {};
  }
  return result;
}

std::size_t IncomingLanes::bytes() const {
  return parts_[0].bytes.size() + parts_[1].bytes.size();
}

}  // namespace flowspec
