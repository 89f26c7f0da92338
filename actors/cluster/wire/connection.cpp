#include "actors/cluster/wire/connection.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

namespace flowspec {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// What a stranger may make us hold.
constexpr std::size_t small_read = 4096;
constexpr std::size_t large_read = 128 << 10;
/// TLS splits everything into records of at most this size.
constexpr std::size_t record_bytes = 16 << 10;
/// What is encrypted, or what the kernel holds and has not sent, cannot be overtaken: both are as much
/// as the link takes in this time, within these bounds.
constexpr double ahead_seconds = 0.0007;
constexpr double least_piece = 8 << 10;
constexpr double least_unsent = 4 << 10;
constexpr double most_unsent = 512 << 10;
constexpr int first_unsent = 32 << 10;
/// The receiver decrypts one while the next is encrypted.
constexpr std::size_t usual_piece = 32 << 10;
/// Frames that wait for their receiver: what a peer may have in flight.
constexpr std::size_t most_incoming = std::size_t{512} << 20;
/// Frames that wait to be sent. Credits bound what runs send; beyond, the peer does not take it.
constexpr std::size_t most_outgoing = std::size_t{1} << 30;
constexpr int most_pongs_owed = 64;
constexpr std::size_t most_pings = 64;
constexpr std::chrono::seconds attach_limit{10};
constexpr std::chrono::seconds close_limit{1};

std::string text_of(const error_code& error) {
  auto text = error.message();
  if (!text.empty())
    text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
  return text;
}

template <int Level, int Name>
void set_option(Connection::Socket& socket, int value) {
  error_code ignored;
  socket.set_option(asio::detail::socket_option::integer<Level, Name>(value), ignored);
}

}  // namespace

Connection::Connection(asio::io_context& context, const ConnectionSettings& settings, Socket socket,
                       std::string address, TlsSide side, Events events)
    : context_(context),
      settings_(settings),
      socket_(std::move(socket)),
      timer_(context),
      address_(std::move(address)),
      side_(side),
      events_(std::move(events)),
      received_(small_read),
      unsent_(first_unsent),
      tls_(*settings.tls, side),
      budget_(most_incoming) {
  info_.address = address_;
  info_.is_dialer = side == TlsSide::client;
}

/// Whoever lets go of the lock sends what others have left meanwhile.
class Connection::TlsLock {
 public:
  explicit TlsLock(Connection& connection) : connection_(connection) {
    connection_.tls_mutex_.lock();
  }
  ~TlsLock() {
    connection_.tls_mutex_.unlock();
    if (connection_.is_dirty_)
      connection_.flush();
  }
  TlsLock(const TlsLock&) = delete;
  TlsLock& operator=(const TlsLock&) = delete;

 private:
  Connection& connection_;
};

void Connection::set_phase(Phase phase) {
  TlsLock lock(*this);
  phase_ = phase;
}

void Connection::start() {
  configure_socket();
  set_deadline(greeting_limit,
               side_ == TlsSide::server
                   ? fmt::format("it has not greeted within {} s", greeting_limit.count())
                   : "it takes connections but says nothing: it is stopped, or no flowspec-node");
  pump();
  read();
}

void Connection::configure_socket() {
  set_option<IPPROTO_TCP, TCP_NODELAY>(socket_, 1);
  set_option<SOL_SOCKET, SO_KEEPALIVE>(socket_, 1);
  set_option<IPPROTO_TCP, TCP_NOTSENT_LOWAT>(socket_, first_unsent);
}

void Connection::set_deadline(std::chrono::milliseconds limit, const std::string& what) {
  timer_.expires_after(limit);
  timer_.async_wait([self = shared_from_this(), what](const error_code& error) {
    if (!error)
      self->fail(what);
  });
}

// -- reading ------------------------------------------------------------------------------------

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

bool Connection::pump() {
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

bool Connection::shake_hands() {
  auto state = TlsSession::Handshake::failed;
  {
    TlsLock lock(*this);
    state = tls_.shake_hands();
  }
  flush();
  if (state == TlsSession::Handshake::failed)
    fail(tls_failure());
  if (state != TlsSession::Handshake::done || phase_ == Phase::closed)
    return false;
  {
    TlsLock lock(*this);
    phase_ = Phase::greeting;
    auto greeting = encode(settings_.greeting);
    tls_.write(bytes_of(greeting));
  }
  flush();
  return phase_ != Phase::closed;
}

/// OpenSSL's words, and what they mean here.
std::string Connection::tls_failure() const {
  const auto& problem = tls_.problem();
  bool is_alert = problem.find(" alert ") != std::string::npos;
  if (problem.starts_with("its certificate") || problem.starts_with("it does not know"))
    return problem;
  if (side_ == TlsSide::server)
    return fmt::format("it is not known here ({})", problem);
  if (!is_alert)
    return fmt::format("it does not answer as a flowspec-node of this version ({})", problem);
  if (settings_.tls->uses_certificates())
    return fmt::format("it does not accept this program's certificate, or uses none ({})", problem);
  return fmt::format(
      "it does not accept this user's secret ({}): it is another user's (--secret-file shares "
      "one), "
      "or it wants certificates (--cert, --key, --ca)",
      problem);
}

std::string Connection::explain(const error_code& error) const {
  bool is_end = error == asio::error::eof || error == asio::error::connection_reset ||
                error == asio::error::broken_pipe;
  if (!is_end)
    return text_of(error);
  if (phase_ == Phase::tls || phase_ == Phase::greeting)
    return "it hung up before it greeted";
  return peer_said_farewell_ ? "it closed the connection"
                             : "its program has ended, or its connection was cut";
}

bool Connection::greet() {
  std::array<std::byte, 4096> buffer;
  while (phase_ == Phase::greeting) {
    auto count = decrypt(buffer);
    if (count == 0) {
      // With TLS 1.3 the dialler hears only now whether it was accepted.
      if (!tls_.problem().empty())
        fail(tls_failure());
      else if (tls_.is_closed())
        fail("it closed the connection before it greeted");
      return false;
    }
    auto bytes = Bytes(buffer).first(count);
    take_greeting(greeting_reader_.feed(bytes));
    if (!bytes.empty()) {
      plain_.assign(bytes.begin(), bytes.end());
      plain_size_ = plain_.size();
    }
  }
  return phase_ == Phase::operating;
}

void Connection::take_greeting(const GreetingReader::Result& result) {
  if (const auto* bad = std::get_if<GreetingReader::Bad>(&result))
    return fail(bad->why);
  if (const auto* refusal = std::get_if<Refusal>(&result))
    return fail("it refuses: " + refusal->why);
  const auto* greeting = std::get_if<Greeting>(&result);
  if (greeting == nullptr)
    return;
  peer_ = *greeting;
  auto agreed = agree(settings_.greeting, peer_);
  if (const auto* refusal = std::get_if<Refusal>(&agreed)) {
    {
      TlsLock lock(*this);
      auto text = encode(*refusal);
      tls_.write(bytes_of(text));
    }
    close_reason_ = refusal->why;
    return begin_to_close();
  }
  heartbeat_ = std::get<Agreement>(agreed).heartbeat;
  begin_to_operate();
}

void Connection::begin_to_operate() {
  InspectionRules rules;
  rules.own = settings_.greeting.node;
  rules.peer = peer_.node;
  rules.is_dialer = side_ == TlsSide::client;
  inspector_ = std::make_unique<FrameInspector>(rules, *settings_.given);
  incoming_ = std::make_unique<IncomingLanes>(
      [this](Lane lane, Bytes first_piece) { return judge(lane, first_piece); });
  {
    std::lock_guard lock(mutex_);
    info_.name = peer_.name;
  }
  has_greeted_ = true;
  takes_frames_ = true;
  set_phase(Phase::operating);
  auto limit = heartbeat_ * heartbeats_to_loss;
  set_option<IPPROTO_TCP, TCP_USER_TIMEOUT>(socket_, static_cast<int>(2 * limit.count()));
  set_deadline(attach_limit, "nobody took it");
  if (events_.operating)
    events_.operating(*this);
}

void Connection::attach(std::shared_ptr<FrameReceiver> receiver) {
  asio::post(
      context_,
      [self = shared_from_this(), receiver = std::move(receiver)]() mutable {
        if (self->phase_ != Phase::operating)
          return receiver->closed();
        self->receiver_ = std::move(receiver);
        self->beat();
        if (self->pump())
          self->read();
      });
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

// -- writing ------------------------------------------------------------------------------------

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

// -- life and death -----------------------------------------------------------------------------

void Connection::beat() {
  timer_.expires_after(heartbeat_);
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (error || self->phase_ != Phase::operating)
      return;
    bool listens = self->is_reading_;
    // Beats are counted, not time: after a pause of this very process what came meanwhile is read
    // before it is judged.
    self->silent_beats_ =
        std::exchange(self->heard_, false) || !listens ? 0 : self->silent_beats_ + 1;
    if (self->silent_beats_ >= heartbeats_to_loss)
      return self->fail(fmt::format(
          "silent for {:.1f} s",
          std::chrono::duration<double>(self->heartbeat_ * heartbeats_to_loss).count()));
    {
      TlsLock lock(*self);
      self->ping_is_due_ = true;
    }
    self->flush();
    self->measure_rates();
    self->beat();
  });
}

/// Over the last second or so.
void Connection::measure_rates() {
  auto per_second = 1000.0 / static_cast<double>(heartbeat_.count());
  auto weight = std::min(1.0, 1 / per_second);
  std::lock_guard lock(mutex_);
  auto follow = [&](std::uint64_t& rate, std::uint64_t now, std::uint64_t& before) {
    auto bytes = static_cast<double>(now - std::exchange(before, now));
    rate = static_cast<std::uint64_t>((1 - weight) * static_cast<double>(rate) +
                                      weight * bytes * per_second);
  };
  follow(info_.in_rate, info_.bytes_in, bytes_in_before_);
  follow(info_.out_rate, bytes_out_, bytes_out_before_);
}

void Connection::take_pong() {
  std::chrono::microseconds round_trip{0};
  {
    TlsLock lock(*this);
    if (pings_.empty())
      return;
    round_trip =
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - pings_.front());
    pings_.pop_front();
  }
  std::lock_guard lock(mutex_);
  info_.round_trip = round_trip;
}

void Connection::close() {
  asio::post(
      context_,
      [self = shared_from_this()] {
        if (self->phase_ == Phase::closing)
          return;
        if (self->phase_ != Phase::operating)
          return self->fail("closed by this program");
        self->close_reason_ = "closed by this program";
        self->begin_to_close();
      });
}

void Connection::begin_to_close() {
  takes_frames_ = false;
  {
    TlsLock lock(*this);
    phase_ = Phase::closing;
    if (!has_greeted_)
      tls_.close();
  }
  set_deadline(close_limit, close_reason_);
  flush();
  read();
}

void Connection::refuse(const std::string& what) {
  spdlog::warn("closes the connection with {}: {}", who(), what);
  fail(what);
}

void Connection::fail(const std::string& why) {
  end(phase_ == Phase::closing ? close_reason_ : why);
}

void Connection::end(const std::string& why) {
  if (phase_ == Phase::closed)
    return;
  auto self = shared_from_this();
  takes_frames_ = false;
  error_code ignored;
  {
    TlsLock lock(*this);
    phase_ = Phase::closed;
    socket_.close(ignored);
  }
  timer_.cancel(ignored);
  // First what others will ask for when they hear of it.
  if (events_.closed)
    events_.closed(*this, why);
  events_ = {};
  if (receiver_)
    std::exchange(receiver_, nullptr)->closed();
}

std::string Connection::who() const {
  return peer_.name.empty() ? address_ : fmt::format("{} ({})", peer_.name, address_);
}

ConnectionInfo Connection::info() const {
  std::lock_guard lock(mutex_);
  auto info = info_;
  info.bytes_out = bytes_out_;
  info.control_frames = outgoing_.frames(Lane::control);
  info.data_frames = outgoing_.frames(Lane::data);
  info.waiting_bytes = outgoing_.bytes();
  return info;
}

}  // namespace flowspec
