#include "runtime/hop_bench/relay.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "runtime/hop_bench/record_faults.hpp"

namespace flowspec {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// What a link holds at most that is not on its way: little, as real ones should.
constexpr std::size_t chunk_bytes = 8 << 10;
constexpr int receive_buffer = 8 << 10;

/// How late a record is.
constexpr std::chrono::milliseconds late{30};

/// When the shared line of one direction is free again.
struct Line {
  Clock::time_point free{};
};

/// One direction of one connection.
class Direction : public std::enable_shared_from_this<Direction> {
 public:
  Direction(asio::io_context& context, std::shared_ptr<tcp::socket> from,
            std::shared_ptr<tcp::socket> to, RelayOptions options, Line& line)
      : from_(std::move(from)),
        to_(std::move(to)),
        options_(options),
        line_(line),
        faults_(options.fault, options.faulty_record),
        timer_(context),
        line_timer_(context) {}

  void read() {
    from_->async_read_some(
        asio::buffer(buffer_),
        [self = shared_from_this()](const error_code& error, std::size_t n) {
          if (error)
            return self->end();
          self->take(n);
        });
  }

  void cut() { is_cut_ = true; }
  void mend() {
    is_cut_ = false;
    pass();
    if (std::exchange(is_stalled_, false))
      read();
  }
  void corrupt() { corrupts_ = true; }
  void end() {
    error_code ignored;
    if (is_cut_)
      return;
    from_->close(ignored);
    to_->close(ignored);
    timer_.cancel(ignored);
    line_timer_.cancel(ignored);
  }

 private:
  struct Chunk {
    Clock::time_point due;
    std::string bytes;
    bool is_last = false;
  };

  void take(std::size_t size) {
    if (std::exchange(corrupts_, false))
      buffer_.front() = static_cast<char>(buffer_.front() ^ 1);
    auto now = Clock::now();
    if (options_.bytes_per_s != 0)
      line_.free = std::max(line_.free, now) +
                   std::chrono::nanoseconds(size * 1'000'000'000 / options_.bytes_per_s);
    auto sent = options_.bytes_per_s != 0 ? line_.free : now;
    for (auto& part : faults_.take({buffer_.data(), size}))
      chunks_.push_back({sent + options_.delay + (part.is_late ? late : milliseconds(0)),
                         std::move(part.bytes), part.is_last});
    pass();
    // The next one may come when this one has left.
    line_timer_.expires_at(sent);
    line_timer_.async_wait([self = shared_from_this()](const error_code& error) {
      self->is_stalled_ = self->is_cut_;
      if (!error && !self->is_cut_)
        self->read();
    });
  }

  void pass() {
    if (is_passing_ || is_cut_ || chunks_.empty())
      return;
    is_passing_ = true;
    timer_.expires_at(chunks_.front().due);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (error || self->is_cut_) {
        self->is_passing_ = false;
        return;
      }
      asio::async_write(*self->to_, asio::buffer(self->chunks_.front().bytes),
                        [self](const error_code& failure, std::size_t) {
                          self->is_passing_ = false;
                          if (failure)
                            return self->end();
                          if (self->chunks_.front().is_last)
                            return self->end();
                          self->chunks_.pop_front();
                          self->pass();
                        });
    });
  }

  std::shared_ptr<tcp::socket> from_;
  std::shared_ptr<tcp::socket> to_;
  RelayOptions options_;
  Line& line_;
  RecordFaults faults_;
  asio::steady_timer timer_;
  asio::steady_timer line_timer_;
  std::array<char, chunk_bytes> buffer_{};
  std::deque<Chunk> chunks_;
  bool is_passing_ = false;
  bool is_cut_ = false;
  /// Waits with reading until the cut is mended.
  bool is_stalled_ = false;
  bool corrupts_ = false;
};

}  // namespace

class Relay::Impl {
 public:
  Impl(std::uint16_t to, RelayOptions options)
      : to_(asio::ip::address_v4::loopback(), to), options_(options), acceptor_(context_) {
    acceptor_.open(tcp::v4());
    acceptor_.set_option(asio::socket_base::receive_buffer_size(receive_buffer));
    acceptor_.bind({asio::ip::address_v4::loopback(), 0});
    acceptor_.listen();
    port_ = acceptor_.local_endpoint().port();
    accept();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Impl() {
    context_.stop();
    thread_.join();
  }

  std::uint16_t port() const { return port_; }
  std::size_t connections() const { return count_; }
  void for_connection(std::size_t i, const std::function<void(Direction&)>& act) {
    run([&] {
      if (2 * i + 1 < directions_.size()) {
        act(*directions_[2 * i]);
        act(*directions_[2 * i + 1]);
      }
    });
  }
  void cut_later_ones() {
    run([&] { is_cut_ = true; });
  }
  void for_all(bool is_cut) {
    run([&] {
      is_cut_ = is_cut;
      for (const auto& direction : directions_)
        is_cut ? direction->cut() : direction->mend();
    });
  }

 private:
  void run(const std::function<void()>& act) {
    std::promise<void> done;
    asio::post(context_, [&] {
      act();
      done.set_value();
    });
    done.get_future().wait();
  }

  void accept() {
    auto near = std::make_shared<tcp::socket>(context_);
    acceptor_.async_accept(*near, [this, near](const error_code& error) {
      if (error)
        return;
      auto far = std::make_shared<tcp::socket>(context_);
      far->open(tcp::v4());
      error_code failed;
      far->set_option(asio::socket_base::receive_buffer_size(receive_buffer), failed);
      far->connect(to_, failed);
      far->set_option(tcp::no_delay(true), failed);
      near->set_option(tcp::no_delay(true), failed);
      add(near, far, options_, lines_[0]);
      auto back = options_;
      back.fault = RecordFault::none;
      add(far, near, back, lines_[1]);
      ++count_;
      accept();
    });
  }

  void add(const std::shared_ptr<tcp::socket>& from, const std::shared_ptr<tcp::socket>& to,
           RelayOptions options, Line& line) {
    auto direction = std::make_shared<Direction>(context_, from, to, options, line);
    if (is_cut_)
      direction->cut();
    directions_.push_back(direction);
    direction->read();
  }

  tcp::endpoint to_;
  RelayOptions options_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::array<Line, 2> lines_;
  std::vector<std::shared_ptr<Direction>> directions_;
  bool is_cut_ = false;
  std::atomic<std::size_t> count_ = 0;
  std::thread thread_;
};

Relay::Relay(std::uint16_t to, RelayOptions options) : impl_(std::make_unique<Impl>(to, options)) {}

Relay::~Relay() = default;

std::uint16_t Relay::port() const {
  return impl_->port();
}

std::size_t Relay::connections() const {
  return impl_->connections();
}

void Relay::cut(std::size_t i) {
  impl_->for_connection(
      i, [](Direction& direction) { direction.cut(); });
}

void Relay::cut_later_ones() {
  impl_->cut_later_ones();
}

void Relay::cut_all() {
  impl_->for_all(true);
}

void Relay::mend() {
  impl_->for_all(false);
}

void Relay::corrupt(std::size_t i) {
  impl_->for_connection(
      i, [](Direction& direction) { direction.corrupt(); });
}

}  // namespace flowspec
