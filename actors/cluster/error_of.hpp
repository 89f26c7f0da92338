#pragma once

#include <exception>
#include <string>

#include <caf/expected.hpp>

#include "actors/support/text_error.hpp"

namespace flowspec {

/// The result of `work`; an exception becomes an error that begins with `prefix`.
template <class Work>
auto error_of(const Work& work, const std::string& prefix = {}) -> caf::expected<decltype(work())> {
  try {
    return work();
  } catch (const std::exception& e) {
    return text_error(ErrorCode::does_not_fit, prefix + e.what());
  }
}

}  // namespace flowspec
