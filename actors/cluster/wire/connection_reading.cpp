#include <array>
#include <cstring>
#include <exception>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "actors/cluster/wire/connection_internal.hpp"

namespace flowspec {

namespace {

constexpr std::size_t large_read = 128 << 10;

}  // namespace

void Connection::read() {
  bool waits = phase_ == Phase::operating && !receiver_;
  {
    std::lock_guard lock(mutex_);
    waits = waits || budget_.is_stopped();
  }
  if (is_reading_ || waits || phase_ == Phase::closed)
    return;
  is_reading_ = true;
  // Not earlier: TLS reads from the buffer until it has all.
  if (phase_ == Phase::operating && received_.size() < large_read)
    received_.resize(large_read);
  socket_.async_read_some(asio::buffer(received_.data(), received_.size()),
                          [self = shared_from_this()](const error_code& error, std::size_t count) {
                            self->is_reading_ = false;
                            if (self->phase_ == Phase::closed)
                              return;
                            if (error)
                              return self->fail(self->explain(error));
                            self->heard_ = true;
                            self->tell_heard();
                            {
                              std::lock_guard lock(self->mutex_);
                              self->info_.bytes_in += count;
                            }
                            {
                              TlsLock lock(*self);
                              self->tls_.feed(Bytes(self->received_).first(count));
                            }
                            if (self->pump())
                              self->read();
                          });
}

/// What cannot be served, for lack of memory, ends its connection: half served, it would hang.
bool Connection::pump() {
  try {
    return pump_all();
  } catch (const std::exception& e) {
    refuse(fmt::format("what it sent cannot be served: {}", e.what()));
    return false;
  }
}

bool Connection::pump_all() {
  if (phase_ == Phase::tls && !shake_hands())
    return phase_ != Phase::closed;
  if (phase_ == Phase::greeting && !greet())
    return phase_ != Phase::closed;
  if (phase_ == Phase::operating && receiver_ && !operate())
    return false;
  if (phase_ == Phase::closing) {
    // What still comes is of no interest, but that the peer closes is.
    std::array<std::byte, 4096> ignored;
    while (decrypt(ignored) > 0)
      ;
    if (tls_.is_closed() || !tls_.problem().empty())
      end(close_reason_);
  }
  return phase_ != Phase::closed;
}

std::size_t Connection::decrypt(std::span<std::byte> plain) {
  TlsLock lock(*this);
  return tls_.read(plain);
}

bool Connection::operate() {
  while (phase_ == Phase::operating) {
    if (!take_pieces())
      return false;
    if (plain_.size() < plain_size_ + record_bytes)
      plain_.resize(
          std::max(plain_size_ + record_bytes, PieceHead::size + most_piece_bytes + record_bytes));
    auto count = decrypt(std::span(plain_).subspan(plain_size_));
    if (count == 0) {
      if (!tls_.problem().empty())
        fail(tls_.problem());
      else if (tls_.is_closed())
        fail("it closed the connection");
      return phase_ != Phase::closed;
    }
    plain_size_ += count;
  }
  return phase_ != Phase::closed;
}

bool Connection::take_pieces() {
  auto bytes = Bytes(plain_).first(plain_size_);
  auto all = bytes.size();
  while (bytes.size() >= PieceHead::size) {
    auto head = read_piece_head(bytes);
    if (!head) {
      refuse("it sent bytes that are no frame");
      return false;
    }
    if (bytes.size() < PieceHead::size + head->length)
      break;
    if (!take_piece(*head, bytes.subspan(PieceHead::size, head->length)))
      return false;
    bytes = bytes.subspan(PieceHead::size + head->length);
  }
  if (bytes.size() < all && !bytes.empty())
    std::memmove(plain_.data(), bytes.data(), bytes.size());
  plain_size_ = bytes.size();
  return true;
}

bool Connection::take_piece(const PieceHead& head, Bytes bytes) {
  if (head.kind == PieceKind::control || head.kind == PieceKind::data) {
    auto result = incoming_->take(head, bytes);
    if (!result.problem.empty()) {
      refuse("it sent " + refusal_.value_or(result.problem));
      return false;
    }
    return !result.frame || take_frame(result);
  }
  if (head.length != 0) {
    refuse("it sent a signal of life with content");
    return false;
  }
  if (head.kind == PieceKind::farewell)
    peer_said_farewell_ = true;
  if (head.kind == PieceKind::pong)
    take_pong();
  if (head.kind == PieceKind::ping) {
    bool is_flood = false;
    {
      TlsLock lock(*this);
      is_flood = ++pongs_owed_ > most_pongs_owed;
    }
    if (is_flood)
      refuse("it asks for signs of life without end");
    else
      flush();
  }
  return phase_ != Phase::closed;
}

std::optional<std::size_t> Connection::judge(Lane lane, Bytes first_piece) {
  auto header = read_basp_header(first_piece);
  if (!header) {
    refusal_ = "a frame without a header";
    return std::nullopt;
  }
  refusal_ = inspector_->judge_header(*header, lane);
  if (refusal_)
    return std::nullopt;
  return BaspHeader::size + std::size_t{header->payload_size};
}

bool Connection::take_frame(IncomingLanes::Result& result) {
  auto& frame = *result.frame;
  auto verdict = inspector_->judge(bytes_of({frame.data(), frame.size()}), result.lane);
  if (verdict.problem) {
    refuse("it sent " + *verdict.problem);
    return false;
  }
  if (!verdict.passes)
    return true;
  {
    std::lock_guard lock(mutex_);
    budget_.take(frame.size());
  }
  receiver_->take(frame);
  if (incoming_)
    incoming_->recycle(std::move(frame));
  return true;
}

void Connection::consumed(std::size_t bytes) {
  bool goes_on = false;
  {
    std::lock_guard lock(mutex_);
    goes_on = budget_.give_back(bytes);
  }
  if (goes_on)
    asio::post(context_, [self = shared_from_this()] { self->read(); });
}

}  // namespace flowspec
