#include <algorithm>
#include <cerrno>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include "actors/cluster/wire/connection_internal.hpp"

namespace flowspec {

namespace {

/// What is encrypted, or what the kernel holds and has not sent, cannot be overtaken: both are as much
/// as the link takes in this time, within these bounds.
constexpr double ahead_seconds = 0.0007;
constexpr double least_piece = 8 << 10;
constexpr double least_unsent = 4 << 10;
constexpr double most_unsent = 512 << 10;
/// The receiver decrypts one while the next is encrypted.
constexpr std::size_t usual_piece = 32 << 10;
/// Frames that wait to be sent. Credits bound what runs send; beyond, the peer does not take it.
constexpr std::size_t most_outgoing = std::size_t{1} << 30;
constexpr std::size_t most_pings = 64;

}  // namespace

void Connection::send(std::vector<char> frame) {
  if (!takes_frames_)
    return;
  auto noted = inspector_->note(bytes_of({frame.data(), frame.size()}));
  if (noted.problem) {
    // The peer would close the connection.
    spdlog::error("to {}: not sent, since it would be refused: {}", who(), *noted.problem);
    return;
  }
  bool is_too_much = false;
  {
    std::lock_guard lock(mutex_);
    outgoing_.push(noted.lane, std::move(frame));
    is_too_much = outgoing_.bytes() > most_outgoing;
  }
  if (is_too_much)
    asio::post(context_, [self = shared_from_this()] {
      self->fail(
          fmt::format("it does not take what is sent: {} MiB are waiting", most_outgoing >> 20U));
    });
  flush();
}

std::vector<char> Connection::buffer() {
  std::lock_guard lock(mutex_);
  return outgoing_.buffer();
}

void Connection::flush() {
  is_dirty_ = true;
  // Who holds the lock looks again when it lets go.
  while (is_dirty_ && tls_mutex_.try_lock()) {
    is_dirty_ = false;
    write_locked();
    tls_mutex_.unlock();
  }
}

void Connection::write_locked() {
  while (!waits_to_write_ && phase_ != Phase::closed) {
    if (sent_ == sending_.size()) {
      if (!tls_.has_outgoing())
        encrypt_next();
      if (!tls_.has_outgoing()) {
        burst_begin_.reset();
        return;
      }
      tls_.take_outgoing(sending_);
      sent_ = 0;
    }
    if (!burst_begin_) {
      burst_begin_ = Clock::now();
      burst_bytes_ = bytes_out_;
    }
    auto left = sending_.size() - sent_;
    auto count =
        ::send(socket_.native_handle(), sending_.data() + sent_, left, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
      error_code error(errno, boost::system::system_category());
      waits_to_write_ = true;
      return asio::post(context_, [self = shared_from_this(), error] {
        // What has come is read first: it may be the peer's reason.
        if (!self->is_reading_)
          self->fail(self->explain(error));
      });
    }
    auto sent = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    sent_ += sent;
    bytes_out_ += sent;
    if (sent < left)
      wait_to_write_locked();
    else if (link_rate_ == 0)
      piece_bytes_ = std::min<std::size_t>(2 * piece_bytes_, usual_piece);
  }
}

void Connection::wait_to_write_locked() {
  waits_to_write_ = true;
  asio::post(context_, [self = shared_from_this()] {
    if (self->phase_ == Phase::closed)
      return;
    self->socket_.async_wait(Socket::wait_write, [self](const error_code& error) {
      {
        TlsLock lock(*self);
        self->waits_to_write_ = false;
        self->measure_link_locked();
      }
      if (!error)
        self->flush();
    });
  });
}

/// The socket takes bytes again: since the burst began, or since the last time, the link has taken what
/// was sent.
void Connection::measure_link_locked() {
  auto now = Clock::now();
  if (phase_ == Phase::closed || !burst_begin_ || now <= *burst_begin_)
    return;
  auto bytes = static_cast<double>(bytes_out_ - std::exchange(burst_bytes_, bytes_out_));
  auto rate = bytes / std::chrono::duration<double>(now - *burst_begin_).count();
  burst_begin_ = now;
  link_rate_ = link_rate_ == 0 ? rate : (link_rate_ + rate) / 2;
  auto ahead = link_rate_ * ahead_seconds;
  piece_bytes_ =
      static_cast<std::size_t>(std::clamp(ahead, least_piece, static_cast<double>(usual_piece)));
  auto unsent = static_cast<int>(std::clamp(ahead, least_unsent, most_unsent));
  if (unsent < unsent_ / 2 || unsent > 2 * unsent_) {
    unsent_ = unsent;
    set_option<IPPROTO_TCP, TCP_NOTSENT_LOWAT>(socket_, unsent);
  }
}

/// Puts what is next into the hands of TLS: signs of life, then at most one piece of data, or control
/// frames of about its size.
void Connection::encrypt_next() {
  if (phase_ != Phase::operating && phase_ != Phase::closing)
    return;
  joined_.clear();
  for (; pongs_owed_ > 0; --pongs_owed_)
    append_head(PieceKind::pong);
  if (std::exchange(ping_is_due_, false)) {
    append_head(PieceKind::ping);
    pings_.push_back(Clock::now());
    if (pings_.size() > most_pings)
      pings_.pop_front();
  }
  while (tls_.outgoing_bytes() + joined_.size() < piece_bytes_) {
    std::optional<OutgoingLanes::Piece> piece;
    {
      std::lock_guard lock(mutex_);
      piece = outgoing_.next(piece_bytes_);
    }
    if (!piece)
      break;
    append(*piece);
  }
  if (phase_ == Phase::closing && !has_said_farewell_ && joined_.empty() && !tls_.has_outgoing()) {
    has_said_farewell_ = true;
    append_head(PieceKind::farewell);
    tls_.write(joined_);
    return tls_.close();
  }
  tls_.write(joined_);
}

void Connection::append_head(PieceKind kind) {
  auto head = encode(PieceHead{kind, true, true, 0});
  auto bytes = bytes_of(head);
  joined_.insert(joined_.end(), bytes.begin(), bytes.end());
}

/// Records are full: the head goes with the first bytes, and with what came before.
void Connection::append(const OutgoingLanes::Piece& piece) {
  auto head = encode(piece.head);
  auto bytes = bytes_of(head);
  joined_.insert(joined_.end(), bytes.begin(), bytes.end());
  auto rest = piece.bytes;
  auto first = std::min(rest.size(), record_bytes - joined_.size() % record_bytes);
  joined_.insert(joined_.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(first));
  rest = rest.subspan(first);
  if (rest.empty())
    return;
  tls_.write(joined_);
  joined_.clear();
  // The last part of a record waits for what may come behind it.
  auto whole = rest.size() - rest.size() % record_bytes;
  tls_.write(rest.first(whole));
  rest = rest.subspan(whole);
  joined_.insert(joined_.end(), rest.begin(), rest.end());
}

}  // namespace flowspec
