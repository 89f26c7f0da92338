#include "runtime/console/failure.hpp"

#include <cerrno>
#include <exception>
#include <new>
#include <system_error>

#include "models/base/error.hpp"
#include "runtime/console/output.hpp"

namespace flowspec {

Failure current_failure() {
  try {
    throw;
  } catch (const RuntimeError& e) {
    return {e.code(), e.what()};
  } catch (const ModelError& e) {
    return {ErrorCode::model, e.what()};
  } catch (const std::bad_alloc&) {
    return {ErrorCode::does_not_fit,
            "there is not enough memory (limits: ulimit -v, the cgroup's memory.max)"};
  } catch (const std::system_error& e) {
    bool is_limit = e.code().value() == EAGAIN || e.code().value() == ENOMEM;
    return {is_limit ? ErrorCode::does_not_fit : ErrorCode::internal,
            std::string(e.what()) + (is_limit ? ": the system gives no more threads or memory "
                                                "(limits: ulimit -u and -v, the cgroup's pids.max)"
                                              : "")};
  } catch (const std::exception& e) {
    return {ErrorCode::internal, e.what()};
  }
}

ExitCode tell_failure() {
  auto failure = current_failure();
  tell(failure.text);
  return exit_code(failure.code);
}

}  // namespace flowspec
