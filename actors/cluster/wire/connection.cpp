#include "actors/cluster/wire/connection.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include "actors/cluster/wire/connection_internal.hpp"

namespace flowspec {

namespace {

/// What a stranger may make us hold.
constexpr std::size_t small_read = 4096;
/// Frames that wait for their receiver: what a peer may have in flight.
constexpr std::size_t most_incoming = std::size_t{512} << 20;
constexpr std::chrono::seconds attach_limit{10};
constexpr std::chrono::seconds close_limit{1};

}  // namespace

std::string text_of(const error_code& error) {
  auto text = error.message();
  if (!text.empty())
    text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
  return text;
}

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
    certificate_ = tls_.peer_certificate();
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
  if (!settings_.tls->uses_certificates() && problem == "certificate verify failed")
    return "it has a certificate, and this program shows none: give --cert, --key and --ca, or let "
           "both belong to one cluster (flowspec cluster; with its own machine's nodes a program "
           "needs --member)";
  if (!is_alert)
    return fmt::format("it does not answer as a flowspec-node of this version ({})", problem);
  if (settings_.tls->uses_certificates())
    return fmt::format("it does not accept this program's certificate, or uses none ({})", problem);
  return fmt::format(
      "it does not accept this user's secret ({}): it is another user's (--secret-file shares "
      "one), or it wants certificates (--member, or --cert, --key and --ca)",
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
  if (settings_.is_someone_else && settings_.is_someone_else(*this))
    agreed = Refusal{"this process is connected already, with another certificate"};
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
  operates_since_ = Clock::now();
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

bool Connection::may_be_stale() const {
  return phase_ == Phase::operating && receiver_ &&
         Clock::now() - operates_since_ >= heartbeat_ * heartbeats_to_loss;
}

void Connection::when_heard(std::function<void()> done) {
  // Who does not read for now hears nothing, and may not judge by that.
  if (phase_ != Phase::operating || !is_reading_)
    return done();
  wait_to_hear_.push_back(std::move(done));
  {
    TlsLock lock(*this);
    ping_is_due_ = true;
  }
  flush();
}

void Connection::tell_heard() {
  for (const auto& done : std::exchange(wait_to_hear_, {}))
    done();
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
  tell_heard();
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
