#pragma once

#include <memory>
#include <string>

#include "runtime/http/http_reply.hpp"
#include "runtime/serve/served_text.hpp"

namespace flowspec {

/// A model that is loaded and answers. For any thread; nothing waits.
class ServedModel {
 public:
  virtual ~ServedModel() = default;

  virtual const ServedText& text() const = 0;
  /// Answers when the sessions have written, or streams; ends them if the client goes.
  virtual void answer(PreparedAnswer prepared, std::shared_ptr<HttpReply> reply) = 0;
  /// Sends the state of the pipeline again and again.
  virtual void watch(std::shared_ptr<HttpReply> reply) = 0;
  /// Answer once, with the newest state.
  virtual void show_cluster(std::shared_ptr<HttpReply> reply) = 0;
  virtual void show_metrics(std::shared_ptr<HttpReply> reply) = 0;
  /// Why it can answer no more; empty: it can.
  virtual std::string loss() const = 0;
  /// Answers that are under way end with what they have; those that wait are refused, and so is what comes.
  virtual void end_answers() = 0;
};

}  // namespace flowspec
