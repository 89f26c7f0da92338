#include "runtime/console/logging.hpp"

#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>

#include "runtime/console/output.hpp"

namespace flowspec {

namespace {

/// Writes as `tell` does: the status line is erased first, and control characters from others do
/// not reach the terminal.
class LogSink : public spdlog::sinks::ansicolor_stderr_sink_mt {
  using Base = spdlog::sinks::ansicolor_stderr_sink_mt;

 public:
  void log(const spdlog::details::log_msg& message) override {
    auto text = terminal_text({message.payload.data(), message.payload.size()});
    auto copy = message;
    copy.payload = text;
    without_status([&] { Base::log(copy); });
  }
};

}  // namespace

void set_up_logging(const char* program, Verbosity verbosity) {
  auto logger = std::make_shared<spdlog::logger>(program, std::make_shared<LogSink>());
  logger->set_pattern("%H:%M:%S.%e %n %^%l%$: %v");
  // A line that cannot be written is lost; there is nowhere to report it.
  logger->set_error_handler([](const std::string&) {});
  switch (verbosity) {
    case Verbosity::quiet:
      logger->set_level(spdlog::level::err);
      break;
    case Verbosity::normal:
      logger->set_level(spdlog::level::warn);
      break;
    case Verbosity::verbose:
      logger->set_level(spdlog::level::debug);
      break;
  }
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace flowspec
