#pragma once
/// Bytes that go to another thread by way of 127.0.0.1 and come back: what a message can at best take.

#include <cstddef>
#include <vector>

namespace flowspec {

class TlsContext;

/// Trips before the clock runs: TCP has to learn how large its windows should be.
constexpr std::size_t warm_up_of(std::size_t repeats) {
  return repeats;
}

/// Seconds of each of `repeats` round trips of so many bytes, by plain TCP. Throws std::runtime_error.
std::vector<double> echo_tcp(std::size_t bytes, std::size_t repeats);
/// The same by TLS, as simply as OpenSSL does it.
std::vector<double> echo_tls(const TlsContext& tls, std::size_t bytes, std::size_t repeats);

}  // namespace flowspec
