#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

namespace flowspec {

/// How many requests are computed at once, and how many wait for that, first come, first served.
/// Thread-safe; has to outlive its tickets.
class RequestGate {
 public:
  /// @param running  in units of one answer; @param waiting  requests.
  RequestGate(std::size_t running, std::size_t waiting)
      : most_running_(running), most_waiting_(waiting) {}

  /// A place in the line, or the right to run. Gives it back when it goes.
  class Ticket {
   public:
    Ticket(RequestGate& gate, std::size_t answers) : gate_(gate), answers_(answers) {}
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

   private:
    friend class RequestGate;
    RequestGate& gate_;
    std::size_t answers_;
    std::function<void()> start_;
    bool runs_ = false;
  };

  /// `start` is called once it may run: perhaps at once, perhaps on the thread of whoever makes room; it
  /// must only post. A request with more answers than may run at all runs alone. Null: too many wait.
  std::unique_ptr<Ticket> enter(std::size_t answers, std::function<void()> start);
  std::size_t running() const;
  std::size_t waiting() const;
  std::size_t most_waiting() const { return most_waiting_; }

 private:
  void leave(Ticket& ticket);
  void start_next();

  const std::size_t most_running_;
  const std::size_t most_waiting_;
  mutable std::mutex mutex_;
  std::size_t running_ = 0;
  std::list<Ticket*> line_;
};

}  // namespace flowspec
