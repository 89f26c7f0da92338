#pragma once
/// One connection with another process, from its first byte to its last.
///
///   dialled, accepted ─► TLS ─► greeting ─► operating ─► closing ─► closed
///        └────────────────┴────────┴────────────┴─── what goes wrong ──► closed
///
/// Nothing reaches the user of a connection before it operates, and then only frames that the
/// inspector has passed.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "actors/cluster/wire/connection_info.hpp"
#include "actors/cluster/wire/connection_limits.hpp"
#include "actors/cluster/wire/frame_inspector.hpp"
#include "actors/cluster/wire/given_actors.hpp"
#include "actors/cluster/wire/greeting.hpp"
#include "actors/cluster/wire/lanes.hpp"
#include "actors/cluster/wire/tls.hpp"

namespace flowspec {

/// Who takes what comes over a connection. Called on the wire's thread.
class FrameReceiver {
 public:
  virtual ~FrameReceiver() = default;
  /// A frame of CAF, with its header. To be told to Connection::consumed. What is not moved away is
  /// used again.
  virtual void take(std::vector<char>& frame) = 0;
  /// Nothing more comes, whatever the reason.
  virtual void closed() = 0;
};

class Connection;

/// What all connections of a process share.
struct ConnectionSettings {
  std::shared_ptr<const TlsContext> tls;
  /// Our own.
  Greeting greeting;
  GivenActors* given = nullptr;
  /// Whether the peer claims to be a process that is connected with another certificate: it would have
  /// that one's rights.
  std::function<bool(const Connection&)> is_someone_else;
};

/// Lives on the thread of its io_context, where all functions are called that do not say otherwise.
/// Frames are encrypted and sent on the thread of their sender, as long as the socket takes them.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp,
                                                  boost::asio::io_context::executor_type>;
  enum class Phase { tls, greeting, operating, closing, closed };
  /// Called once each, unless the connection never operates.
  struct Events {
    std::function<void(Connection&)> operating;
    std::function<void(Connection&, const std::string& why)> closed;
  };

  Connection(boost::asio::io_context& context, const ConnectionSettings& settings, Socket socket,
             std::string address, TlsSide side, Events events);

  void start();
  /// Who gets the frames from now on: until there is somebody, nothing is read. Thread-safe.
  void attach(std::shared_ptr<FrameReceiver> receiver);
  /// Sends a frame of CAF. Thread-safe; frames of one thread keep their order within their lane.
  void send(std::vector<char> frame);
  /// An empty buffer for a frame to send, perhaps with memory. Thread-safe.
  std::vector<char> buffer();
  /// The receiver is done with bytes of a frame. Thread-safe.
  void consumed(std::size_t bytes);
  /// Sends what is waiting, and then ends. Thread-safe.
  void close();
  /// Ends at once.
  void fail(const std::string& why);
  /// It has operated for so long that the other end may have lost it by now, and this end not know.
  bool may_be_stale() const;
  /// Calls back once something was heard of the other end, or the connection has ended. Asks for a sign
  /// of life, so that this does not take long.
  void when_heard(std::function<void()> done);

  /// The other end's, once it has greeted. Thread-safe, as is `has_greeted`.
  const Greeting& peer() const { return peer_; }
  const std::string& address() const { return address_; }
  /// Of the peer; see TlsSession.
  const std::string& certificate() const { return certificate_; }
  bool has_greeted() const { return has_greeted_; }
  /// Thread-safe.
  bool takes_frames() const { return takes_frames_; }
  /// Thread-safe.
  ConnectionInfo info() const;

 private:
  using Clock = std::chrono::steady_clock;

  void configure_socket();
  void read();
  /// Takes all that can be decrypted. False if nothing more is to be read for now.
  bool pump();
  bool pump_all();
  std::size_t decrypt(std::span<std::byte> plain);
  bool shake_hands();
  bool greet();
  bool operate();
  void begin_to_operate();
  void take_greeting(const GreetingReader::Result& result);
  /// False if the connection has ended.
  bool take_pieces();
  bool take_piece(const PieceHead& head, Bytes bytes);
  bool take_frame(IncomingLanes::Result& result);
  void take_pong();
  void tell_heard();
  void measure_rates();
  std::optional<std::size_t> judge(Lane lane, Bytes first_piece);

  class TlsLock;
  /// Sends what is waiting, on this thread, unless another one is at it: that one does it then.
  void flush();
  void write_locked();
  void wait_to_write_locked();
  void measure_link_locked();
  void encrypt_next();
  void append_head(PieceKind kind);
  void append(const OutgoingLanes::Piece& piece);
  void set_phase(Phase phase);
  /// The peer has broken a rule.
  void refuse(const std::string& what);
  void set_deadline(std::chrono::milliseconds limit, const std::string& what);
  void beat();
  void begin_to_close();
  void end(const std::string& why);
  std::string tls_failure() const;
  std::string explain(const boost::system::error_code& error) const;
  std::string who() const;

  boost::asio::io_context& context_;
  const ConnectionSettings& settings_;
  Socket socket_;
  boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                    boost::asio::wait_traits<std::chrono::steady_clock>,
                                    boost::asio::io_context::executor_type>
      timer_;
  const std::string address_;
  const TlsSide side_;
  Events events_;
  /// Changed on the connection's thread, with the lock of TLS.
  Phase phase_ = Phase::tls;
  std::atomic<bool> has_greeted_ = false;

  // Reading.
  std::vector<std::byte> received_;
  std::vector<std::byte> plain_;
  std::size_t plain_size_ = 0;
  bool is_reading_ = false;
  GreetingReader greeting_reader_;
  Greeting peer_;
  std::string certificate_;
  std::chrono::milliseconds heartbeat_{0};
  std::unique_ptr<FrameInspector> inspector_;
  std::unique_ptr<IncomingLanes> incoming_;
  std::optional<std::string> refusal_;
  std::shared_ptr<FrameReceiver> receiver_;
  bool heard_ = false;
  bool peer_said_farewell_ = false;
  int silent_beats_ = 0;
  Clock::time_point operates_since_;
  std::vector<std::function<void()>> wait_to_hear_;
  std::uint64_t bytes_in_before_ = 0;
  std::uint64_t bytes_out_before_ = 0;

  std::string close_reason_;

  /// Bytes that the kernel may hold unsent.
  int unsent_;

  // Writing, and what decrypts: with the lock held.
  std::mutex tls_mutex_;
  TlsSession tls_;
  bool waits_to_write_ = false;
  std::vector<char> sending_;
  std::size_t sent_ = 0;
  std::vector<std::byte> joined_;
  /// How much of a frame is encrypted at once.
  std::size_t piece_bytes_ = 16 << 10;
  /// How fast the link takes bytes, measured where it is the limit; 0: not yet.
  double link_rate_ = 0;
  /// Since when, and since which byte, the socket is being filled without a break.
  std::optional<Clock::time_point> burst_begin_;
  std::uint64_t burst_bytes_ = 0;
  bool ping_is_due_ = false;
  int pongs_owed_ = 0;
  bool has_said_farewell_ = false;
  std::deque<Clock::time_point> pings_;
  /// There may be something to send that nobody has looked at.
  std::atomic<bool> is_dirty_ = false;

  // Shared with other threads.
  std::atomic<bool> takes_frames_ = false;
  std::atomic<std::uint64_t> bytes_out_ = 0;
  mutable std::mutex mutex_;
  OutgoingLanes outgoing_;
  ByteBudget budget_;
  ConnectionInfo info_;
};

}  // namespace flowspec
