#include "runtime/serve/request_gate.hpp"

#include <utility>

namespace flowspec {

RequestGate::Ticket::~Ticket() {
  gate_.leave(*this);
}

std::unique_ptr<RequestGate::Ticket> RequestGate::enter(std::size_t answers,
                                                        std::function<void()> start) {
  auto ticket = std::make_unique<Ticket>(*this, answers);
  ticket->start_ = std::move(start);
  {
    std::lock_guard lock(mutex_);
    line_.push_back(ticket.get());
    start_next();
    if (ticket->runs_ || line_.size() <= most_waiting_)
      return ticket;
  }
  return nullptr;  // which takes the ticket out of the line
}

void RequestGate::leave(Ticket& ticket) {
  std::lock_guard lock(mutex_);
  if (ticket.runs_)
    running_ -= ticket.answers_;
  else
    line_.remove(&ticket);
  start_next();
}

void RequestGate::start_next() {
  while (!line_.empty()) {
    auto& first = *line_.front();
    if (running_ != 0 && running_ + first.answers_ > most_running_)
      return;
    running_ += first.answers_;
    first.runs_ = true;
    line_.pop_front();
    if (auto start = std::exchange(first.start_, nullptr))
      start();
  }
}

std::size_t RequestGate::running() const {
  std::lock_guard lock(mutex_);
  return running_;
}

std::size_t RequestGate::waiting() const {
  std::lock_guard lock(mutex_);
  return line_.size();
}

}  // namespace flowspec
