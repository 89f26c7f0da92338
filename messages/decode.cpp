#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "messages/codec.hpp"
#include "messages/decoding.hpp"
#include "messages/limits.hpp"
#include "messages/tensor_values.hpp"

/// Everything here reads bytes that may come from anyone. Cap'n Proto checks memory accesses; the
/// code here checks the values, before it allocates anything by them. Each list and string of a
/// message is fetched once: every fetch counts against the traversal limit.

namespace flowspec {

namespace {

TreeNodeId node(std::uint64_t id) {
  check(id != no_node, "a node id is 0");
  return id;
}

std::vector<TreeNodeId> nodes(capnp::List<std::uint64_t>::Reader in, std::size_t limit,
                              const char* what) {
  std::vector<TreeNodeId> out;
  out.reserve(count(in.size(), limit, what));
  for (auto id : in)
    out.push_back(node(id));
  return out;
}

std::vector<SegmentId> ended(capnp::List<std::uint64_t>::Reader in) {
  std::vector<SegmentId> out;
  out.reserve(count(in.size(), limits::ended, "ended segments"));
  for (auto id : in)
    out.push_back(id);
  return out;
}

Row row(schema::Row::Reader in) {
  Row out{.session = in.getSession(),
          .id = node(in.getId()),
          .parent = in.getParent(),
          .token = token(in.getToken()),
          .position = in.getPosition()};
  check(out.parent != out.id, "a row is its own parent");
  return out;
}

std::vector<Row> rows(capnp::List<schema::Row>::Reader in) {
  std::vector<Row> out;
  out.reserve(count(in.size(), limits::rows, "rows"));
  for (auto one : in)
    out.push_back(row(one));
  return out;
}

std::vector<Prune> prunes(capnp::List<schema::Prune>::Reader in) {
  std::vector<Prune> out;
  out.reserve(count(in.size(), limits::prunes, "prunes"));
  for (auto one : in) {
    auto& prune = out.emplace_back();
    prune.session = one.getSession();
    prune.version = one.getVersion();
    check(prune.version != 0, "a prune has version 0");
    prune.path = nodes(one.getPath(), limits::tokens, "path");
    prune.root = row(one.getRoot());
    check(prune.root.session == prune.session, "a prune's root is of another session");
  }
  return out;
}

/// The values of 16 bits as float32, in memory of their own.
Tensor unpacked(Tensor tensor, const std::uint8_t* bytes, std::size_t count) {
  std::shared_ptr<float[]> values(new float[count]);
  unpack(tensor.type, bytes, {values.get(), count});
  tensor.values = {values.get(), count};
  tensor.owner = std::move(values);
  return tensor;
}

/// A tensor of `rows` rows, or an empty one.
Tensor tensor(schema::Tensor::Reader in, std::size_t rows, const Owner& owner, const char* what) {
  const auto values = in.getValues();
  const std::uint64_t columns = in.getColumns();
  if (in.getRows() == 0 && columns == 0 && values.size() == 0)
    return {};
  const auto name = std::string(what);
  if (in.getRows() != rows)
    throw DecodeError(name + ": " + std::to_string(in.getRows()) + " rows instead of " +
                      std::to_string(rows));
  if (columns == 0)
    throw DecodeError(name + ": no columns");
  count(columns, limits::columns, what);
  const auto type = hidden_type(in.getType());
  if (values.size() != rows * columns * bytes_of_value(type))
    throw DecodeError(name + ": " + std::to_string(values.size()) + " bytes for " +
                      std::to_string(rows) + " x " + std::to_string(columns) + " values");
  Tensor out{
      .rows = in.getRows(), .columns = in.getColumns(), .values = {}, .owner = owner, .type = type};
  if (bytes_of_value(type) != sizeof(float))
    return unpacked(std::move(out), values.begin(), rows * columns);
  out.values = {reinterpret_cast<const float*>(values.begin()), rows * columns};
  return out;
}

SamplingParams sampling(schema::SamplingParams::Reader in) {
  SamplingParams out{.temperature = in.getTemperature(),
                     .top_k = in.getTopK(),
                     .top_p = in.getTopP(),
                     .seed = in.getSeed(),
                     .min_p = in.getMinP()};
  check(std::isfinite(out.temperature) && out.temperature >= 0,
        "temperature is not a finite number of at least 0");
  check(out.top_p > 0 && out.top_p <= 1, "top_p is not above 0 and at most 1");
  check(out.min_p >= 0 && out.min_p <= 1, "min_p is not from 0 to 1");
  out.repetition_penalty = in.getRepetitionPenalty();
  out.frequency_penalty = in.getFrequencyPenalty();
  out.presence_penalty = in.getPresencePenalty();
  check(std::isfinite(out.repetition_penalty) && out.repetition_penalty > 0,
        "repetition_penalty is not a finite number above 0");
  check(std::isfinite(out.frequency_penalty) && std::isfinite(out.presence_penalty),
        "a penalty is not a finite number");
  auto bias = in.getLogitBias();
  out.logit_bias.reserve(count(bias.size(), limits::logit_bias, "biases"));
  for (auto one : bias) {
    check(std::isfinite(one.getBias()), "a bias is not a finite number");
    check(out.logit_bias.empty() || one.getToken() > out.logit_bias.back().token,
          "biased tokens do not rise");
    out.logit_bias.push_back({token(one.getToken()), one.getBias()});
  }
  out.logprobs = in.getLogprobs();
  count(out.logprobs, limits::logprobs, "log-probabilities");
  return out;
}

float logprob(float value) {
  check(!std::isnan(value), "a log-probability that is no number");
  return value;
}

std::vector<TokenLogprob> logprobs(capnp::List<schema::TokenLogprob>::Reader in) {
  std::vector<TokenLogprob> out;
  out.reserve(count(in.size(), limits::tokens, "log-probabilities"));
  for (auto one : in) {
    auto& to = out.emplace_back(TokenLogprob{token(one.getToken()), logprob(one.getLogprob()), {}});
    auto top = one.getTop();
    to.top.reserve(count(top.size(), limits::logprobs, "alternatives"));
    for (auto other : top)
      to.top.push_back({token(other.getToken()), logprob(other.getLogprob())});
  }
  return out;
}

}  // namespace

void decode(schema::Segment::Reader in, const Owner& owner, Segment& out) {
  out.id = in.getId();
  out.rows = rows(in.getRows());
  check(!out.rows.empty(), "no rows");
  out.prunes = prunes(in.getPrunes());
  out.hidden = tensor(in.getHidden(), out.rows.size(), owner, "hidden");
  out.awaits_more = in.getAwaitsMore();
}

void decode(schema::Prunes::Reader in, const Owner&, Prunes& out) {
  out.prunes = prunes(in.getPrunes());
  out.ended = ended(in.getEnded());
}

void decode(schema::Open::Reader in, const Owner&, Open& out) {
  out.session = in.getSession();
  out.root = node(in.getRoot());
  out.prompt = tokens(in.getPrompt(), "prompt");
  out.sampling = sampling(in.getSampling());
  out.position_limit = in.getPositionLimit();
  out.slots = in.getSlots();
  count(out.slots, limits::slots, "KV slots");
  check(!out.prompt.empty(), "the prompt is empty");
  check(out.prompt.size() <= out.position_limit, "the prompt is longer than the position limit");
  out.prefix_session = in.getPrefixSession();
  out.cached_tokens = in.getCachedTokens();
  check(out.cached_tokens < out.prompt.size(), "the whole prompt is to be kept");
  check(out.cached_tokens == 0 || out.prefix_session != no_session,
        "tokens are kept of no session");
  check(out.prefix_session == no_session || out.prefix_session != out.session,
        "a session follows itself");
  out.restores = in.getRestores();
  out.prunes = prunes(in.getPrunes());
  out.prompt_tokens = in.getPromptTokens();
  check(out.prompt_tokens <= out.prompt.size(), "the answer begins beyond the prompt");
}

void decode(schema::Grow::Reader in, const Owner&, Grow& out) {
  out.session = in.getSession();
  out.position_limit = in.getPositionLimit();
  count(out.position_limit, limits::tokens, "positions");
  out.slots = in.getSlots();
  count(out.slots, limits::slots, "KV slots");
}

void decode(schema::Restored::Reader in, const Owner& owner, Restored& out) {
  out.session = in.getSession();
  out.position = in.getPosition();
  out.count = in.getCount();
  check(out.count != 0, "no rows");
  count(out.count, limits::rows, "rows");
  count(std::size_t{out.position} + out.count, limits::tokens, "positions");
  out.hidden = tensor(in.getHidden(), out.count, owner, "hidden");
}

void decode(schema::Kept::Reader in, const Owner&, Kept& out) {
  auto sessions = in.getSessions();
  out.sessions.reserve(count(sessions.size(), limits::sessions, "sessions"));
  for (auto one : sessions) {
    out.sessions.push_back({one.getSession(), one.getTokens(), one.getRestorable()});
    check(one.getRestorable() <= one.getTokens(), "more can be restored than there is");
  }
  out.segment = in.getSegment();
}

void decode(schema::Close::Reader in, const Owner&, Close& out) {
  out.session = in.getSession();
  out.keep = in.getKeep();
  out.prunes = prunes(in.getPrunes());
}

void decode(schema::Cancel::Reader in, const Owner&, Cancel& out) {
  out.session = in.getSession();
}

void decode(schema::SegmentEnd::Reader in, const Owner&, SegmentEnd& out) {
  out.segment = in.getSegment();
  out.stage = in.getStage();
}

void decode(schema::Verdict::Reader in, const Owner&, Verdict& out) {
  auto paths = in.getPaths();
  out.paths.reserve(count(paths.size(), limits::prunes, "paths"));
  for (auto one : paths) {
    auto& walk = out.paths.emplace_back();
    walk.session = one.getSession();
    walk.version = one.getVersion();
    walk.next = token(one.getNext());
    auto path = one.getPath();
    walk.path.reserve(count(path.size(), limits::tokens, "path"));
    for (auto step : path)
      walk.path.push_back(
          {.id = node(step.getId()), .parent = step.getParent(), .token = token(step.getToken())});
    walk.logprobs = logprobs(one.getLogprobs());
  }
  out.ended = ended(in.getEnded());
}

void decode(schema::SentRows::Reader in, const Owner&, SentRows& out) {
  out.segment = in.getSegment();
  out.rows = rows(in.getRows());
}

void decode(schema::Features::Reader in, const Owner& owner, Features& out) {
  out.session = in.getSession();
  out.nodes = nodes(in.getNodes(), limits::rows, "nodes");
  out.hidden = tensor(in.getHidden(), out.nodes.size(), owner, "hidden");
  out.tap = in.getTap();
  check(out.tap < limits::taps, "a tap beyond the last");
}

void decode(schema::Ready::Reader in, const Owner&, Ready& out) {
  out.segment = in.getSegment();
  out.free_in_us = in.getFreeInUs();
}

void decode(schema::Tokens::Reader in, const Owner&, Tokens& out) {
  out.session = in.getSession();
  out.position = in.getPosition();
  out.tokens = tokens(in.getTokens(), "tokens");
  out.logprobs = logprobs(in.getLogprobs());
  check(out.logprobs.empty() || out.logprobs.size() == out.tokens.size(),
        "log-probabilities of other tokens");
}

void decode(schema::Closed::Reader in, const Owner&, Closed& out) {
  out.session = in.getSession();
}

void decode(schema::TextDelta::Reader in, const Owner&, TextDelta& out) {
  out.session = in.getSession();
  out.text = text(in.getText(), "text");
  out.tokens = logprobs(in.getTokens());
}

static_assert(static_cast<int>(Finish::failed) == static_cast<int>(schema::Finish::FAILED));

void decode(schema::Report::Reader in, const Owner&, Report& out) {
  out.session = in.getSession();
  check(in.getFinish() <= schema::Finish::FAILED, "an unknown reason to finish");
  out.finish = static_cast<Finish>(in.getFinish());
  out.error = text(in.getError(), "error");
  out.tokens = tokens(in.getTokens(), "tokens");
  out.prompt_tokens = in.getPromptTokens();
  out.verifications = in.getVerifications();
  out.prefill_us = in.getPrefillUs();
  out.decode_us = in.getDecodeUs();
  out.recoveries = in.getRecoveries();
  out.paused_us = in.getPausedUs();
  out.cached_tokens = in.getCachedTokens();
}

void decode(schema::Fault::Reader in, const Owner&, Fault& out) {
  out.session = in.getSession();
  out.segment = in.getSegment();
  out.stage = in.getStage();
  out.error = text(in.getError(), "error");
  out.unreachable = in.getUnreachable();
  out.receiver = in.getReceiver();
}

}  // namespace flowspec
