/// Requests from strangers. The first byte of an input says in what pieces the rest comes.

#include <algorithm>
#include <string>

#include "runtime/http/request_reader.hpp"
#include "runtime/http/request_rules.hpp"
#include "runtime/http/response_text.hpp"
#include "tests/fuzz/fuzzing.hpp"

using namespace flowspec;

namespace {

using State = RequestReader::State;

HttpLimits limits() {
  HttpLimits result;
  result.head_bytes = 2048;
  result.fields = 20;
  result.body_bytes = 4096;
  return result;
}

struct Outcome {
  State state;
  std::size_t used = 0;
  HttpRequest request;
  HttpProblem problem;
};

/// As a connection does: what is not used is given again, with more.
Outcome read(std::string_view bytes, std::size_t step) {
  RequestReader reader(limits());
  std::size_t used = 0;
  std::size_t end = 0;
  do {
    end = std::min(end + step, bytes.size());
    for (std::size_t more = 1; more != 0 && used < end; used += more) {
      auto rest = bytes.substr(used, end - used);
      more = reader.feed(rest);
      fuzz::expect(more <= rest.size(), "no more is used than there is");
    }
    fuzz::expect(end - used <= limits().head_bytes + step || reader.state() == State::failed ||
                     reader.state() == State::done,
                 "what has to be kept is limited");
  } while (end < bytes.size());
  Outcome outcome{reader.state(), used, {}, {}};
  if (outcome.state == State::done)
    outcome.request = std::move(reader.request());
  if (outcome.state == State::failed)
    outcome.problem = reader.problem();
  return outcome;
}

void expect_words(const HttpProblem& problem) {
  bool is_plain = std::ranges::none_of(
      problem.text, [](unsigned char c) { return c < ' ' || c >= 0x7f || c == '"' || c == '\\'; });
  fuzz::expect(is_plain && !problem.text.empty() && problem.text.size() < 300,
               "problems need no escapes");
  fuzz::expect(problem.status >= 400 && !reason_of(problem.status).empty(), "statuses are HTTP's");
}

void use(HttpRequest request) {
  fuzz::expect(request.body.size() <= limits().body_bytes, "a body keeps its limit");
  fuzz::expect(request.fields.size() <= limits().fields, "fields keep their limit");
  fuzz::expect(!request.path.empty(), "a request has a target");
  for (bool is_local : {false, true}) {
    auto copy = request;
    HttpRules rules{is_local, {"box.lan"}, {"*"}};
    auto problem = check_request(copy, rules);
    if (problem)
      expect_words(*problem);
    else
      fuzz::expect(copy.path.starts_with('/') || copy.path == "*", "a path begins with a slash");
    auto head = response_head(200, "text/plain", cors_fields(copy, rules), {});
    auto lines = std::ranges::count(head, '\n');
    fuzz::expect(
        head.ends_with("\r\n\r\n") && head.find("\r\n\r\n") == head.size() - 4 && lines <= 9,
        "nothing of a request breaks out of a head");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  auto bytes = std::string_view(reinterpret_cast<const char*>(data), size).substr(1);
  auto whole = read(bytes, std::max<std::size_t>(bytes.size(), 1));
  auto pieces = read(bytes, data[0] % 64 + 1U);
  // What is wrong may be seen at once, or only when the rest has come; but what is right is right.
  fuzz::expect((whole.state == State::done) == (pieces.state == State::done),
               "a request does not depend on its packets");
  if (whole.state == State::failed)
    expect_words(whole.problem);
  if (whole.state != State::done || pieces.state != State::done)
    return 0;
  fuzz::expect(whole.used == pieces.used && whole.request.body == pieces.request.body &&
                   whole.request.fields == pieces.request.fields,
               "nor does what is in it");
  use(std::move(whole.request));
  return 0;
}
