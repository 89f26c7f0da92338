#pragma once

#include <functional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"

namespace flowspec::test {

/// Checks that `call` throws an `Error` whose message has all of `texts`, and passes it to `look`
/// for further checks.
template <class Error>
void check_throws(const std::function<void()>& call, const std::vector<std::string>& texts,
                  const std::function<void(const Error&)>& look = {}) {
  try {
    call();
  } catch (const Error& error) {
    const std::string what = error.what();
    for (const std::string& text : texts)
      BOOST_CHECK_MESSAGE(what.find(text) != std::string::npos,
                          "expected \"" << text << "\" in: " << what);
    if (look)
      look(error);
    return;
  }
  BOOST_ERROR("no error; expected: " << texts.front());
}

/// The same for errors of model files.
inline void check_error(const std::function<void()>& call, const std::vector<std::string>& texts) {
  check_throws<ModelError>(call, texts);
}

}  // namespace flowspec::test
