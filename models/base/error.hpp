#pragma once

#include <stdexcept>

namespace flowspec {

/// A model that cannot be used. Thrown at start-up only. The message names the file, the offset,
/// key or tensor, what was found there, what was expected, and what the user can do.
class ModelError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace flowspec
