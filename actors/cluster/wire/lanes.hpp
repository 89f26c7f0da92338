#pragma once
/// Two lanes on one connection: control overtakes data, and data goes in pieces, so that a control
/// frame never waits longer than one piece. Within a lane the order is kept.

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/cluster/wire/bytes.hpp"

namespace flowspec {

enum class Lane : std::uint8_t { control = 0, data = 1 };

/// What a piece holds. Part of a frame, or nothing but its head.
enum class PieceKind : std::uint8_t { control = 0, data = 1, ping = 2, pong = 3, farewell = 4 };

struct PieceHead {
  static constexpr std::size_t size = 8;

  PieceKind kind{};
  /// The first piece of a frame, and the last.
  bool is_first = false;
  bool is_last = false;
  std::uint32_t length = 0;

  bool operator==(const PieceHead&) const = default;
};

/// The most bytes of a piece behind its head.
inline constexpr std::uint32_t most_piece_bytes = 64 << 10;

std::string encode(const PieceHead& head);
/// Nothing if the eight bytes are no head, or claim too much.
std::optional<PieceHead> read_piece_head(Bytes bytes);

/// Memory of frames that have gone, for those that come: fresh pages cost more than what is written to
/// them.
class SpareBuffers {
 public:
  void give(std::vector<char> buffer);
  /// Empty; with memory of its own if there is some.
  std::vector<char> take();

 private:
  static constexpr std::size_t least_bytes = 16 << 10;
  static constexpr std::size_t most_bytes = 8 << 20;
  static constexpr std::size_t most = 2;

  std::vector<std::vector<char>> buffers_;
};

/// Frames on their way out.
class OutgoingLanes {
 public:
  struct Piece {
    PieceHead head;
    /// Valid until the next call of `next` or `clear`.
    Bytes bytes;
  };

  void push(Lane lane, std::vector<char> frame);
  /// The next piece to send, of at most `most` bytes; nothing if all is sent.
  std::optional<Piece> next(std::size_t most = most_piece_bytes);
  /// Bytes of all frames that have not been passed on entirely.
  std::size_t bytes() const { return bytes_; }
  std::size_t frames(Lane lane) const { return queues_[static_cast<std::size_t>(lane)].size(); }
  void clear();
  /// An empty buffer for a frame that will be pushed.
  std::vector<char> buffer() { return spare_.take(); }

 private:
  struct Frame {
    std::vector<char> bytes;
    std::size_t sent = 0;
  };

  void drop_sent();

  std::array<std::deque<Frame>, 2> queues_;
  SpareBuffers spare_;
  std::size_t bytes_ = 0;
};

/// Frames on their way in, put together from pieces.
class IncomingLanes {
 public:
  /// Judges the head of a frame (the first bytes of its first piece) before memory is taken for it:
  /// the size of the whole frame, or nothing if it is refused.
  using Judge = std::function<std::optional<std::size_t>(Lane lane, Bytes first_piece)>;

  explicit IncomingLanes(Judge judge) : judge_(std::move(judge)) {}

  struct Result {
    /// What is wrong, for people; empty if nothing is.
    std::string problem;
    /// A frame that is complete with this piece.
    std::optional<std::vector<char>> frame;
    Lane lane = Lane::control;
  };

  /// Takes a piece of the control or data lane.
  Result take(const PieceHead& head, Bytes bytes);
  /// A frame that nobody needs any more.
  void recycle(std::vector<char> frame) { spare_.give(std::move(frame)); }
  /// Bytes of frames that are not complete.
  std::size_t bytes() const;

 private:
  struct Part {
    std::vector<char> bytes;
    std::size_t size = 0;
    bool is_open = false;
  };

  Judge judge_;
  SpareBuffers spare_;
  std::array<Part, 2> parts_;
};

}  // namespace flowspec
