#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "messages/codec.hpp"
#include "messages/encoding.hpp"
#include "messages/limits.hpp"
#include "messages/tensor_values.hpp"

namespace flowspec {

static_assert(std::endian::native == std::endian::little, "tensors are little-endian on the wire");

namespace {

// Sizes in words, as the schema defines them (data section + pointers). The round-trip tests find a
// size that is too small: the builder refuses to grow.
constexpr std::size_t row_words = 4;
constexpr std::size_t prune_words = 2 + 2 + row_words;
constexpr std::size_t tensor_words = 2 + 1;
constexpr std::size_t path_node_words = 3;
constexpr std::size_t walk_words = 3 + 2;
/// A list of structs starts with a word that holds their size.
constexpr std::size_t list_tag = 1;
/// Segment table, root pointer and the largest root struct, including a nested SamplingParams.
constexpr std::size_t fixed_words = 32;

std::shared_ptr<std::uint64_t[]> zeroed(std::size_t words) {
  auto* memory = static_cast<std::uint64_t*>(std::calloc(words, sizeof(std::uint64_t)));
  if (memory == nullptr)
    throw std::bad_alloc();
  return {memory, std::free};
}

std::size_t checked(const char* name, std::size_t words) {
  if (words > max_wire_bytes / sizeof(std::uint64_t))
    throw std::length_error(std::string(name) + ": message of " + std::to_string(words * 8) +
                            " bytes, at most " + std::to_string(max_wire_bytes));
  return words;
}

kj::ArrayPtr<capnp::word> content(std::uint64_t* words, std::size_t capacity) {
  return kj::arrayPtr(reinterpret_cast<capnp::word*>(words) + 1, capacity - 1);
}

void encode(const Row& row, schema::Row::Builder out) {
  out.setSession(row.session);
  out.setId(row.id);
  out.setParent(row.parent);
  out.setToken(row.token);
  out.setPosition(row.position);
}

void encode(const Tensor& tensor, schema::Tensor::Builder out) {
  out.setRows(tensor.rows);
  out.setColumns(tensor.columns);
  out.setType(static_cast<schema::HiddenType>(tensor.type));
  auto size = tensor.values.size() * bytes_of_value(tensor.type);
  pack(tensor.type, tensor.values, out.initValues(static_cast<capnp::uint>(size)).begin());
}

/// The text of a fault is cut, so that a long text cannot make the report of the fault fail.
template <class Builder>
void set_error(const std::string& error, Builder out) {
  const auto cut = error.substr(0, limits::text);
  out.setError(kj::StringPtr(cut.c_str(), cut.size()));
}

void encode(const SamplingParams& x, schema::SamplingParams::Builder out) {
  out.setTemperature(x.temperature);
  out.setTopK(x.top_k);
  out.setTopP(x.top_p);
  out.setMinP(x.min_p);
  out.setSeed(x.seed);
  out.setRepetitionPenalty(x.repetition_penalty);
  out.setFrequencyPenalty(x.frequency_penalty);
  out.setPresencePenalty(x.presence_penalty);
  auto bias = out.initLogitBias(static_cast<capnp::uint>(x.logit_bias.size()));
  for (capnp::uint i = 0; i < bias.size(); ++i) {
    bias[i].setToken(x.logit_bias[i].token);
    bias[i].setBias(x.logit_bias[i].bias);
  }
  out.setLogprobs(x.logprobs);
}

constexpr std::size_t logprob_words = 1 + 1;

std::size_t words_of(std::span<const TokenLogprob> tokens) {
  auto words = list_tag;
  for (const auto& token : tokens)
    words += logprob_words + list_tag + token.top.size();
  return words;
}

void encode(std::span<const TokenLogprob> tokens, capnp::List<schema::TokenLogprob>::Builder out) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    auto to = out[static_cast<capnp::uint>(i)];
    to.setToken(tokens[i].token);
    to.setLogprob(tokens[i].logprob);
    auto top = to.initTop(static_cast<capnp::uint>(tokens[i].top.size()));
    for (capnp::uint j = 0; j < top.size(); ++j) {
      top[j].setToken(tokens[i].top[j].token);
      top[j].setLogprob(tokens[i].top[j].logprob);
    }
  }
}

bool present(const Tensor& tensor) {
  return tensor.rows != 0 || !tensor.values.empty();
}

std::size_t words_of(const Tensor& tensor) {
  return words_of_tensor(tensor.values.size(), tensor.type);
}

}  // namespace

FlatMessage::FlatMessage(const char* name, std::size_t variable_words)
    : capacity_(checked(name, fixed_words + variable_words)),
      words_(zeroed(capacity_)),
      builder_(content(words_.get(), capacity_)) {}

WireBuffer FlatMessage::finish() {
  const auto used = builder_.getSegmentsForOutput()[0].size();
  words_[0] = std::uint64_t{used} << 32;  // segment table: (segments - 1, size of the first)
  return {words_, used + 1};
}

std::size_t words_of_rows(std::size_t rows) {
  return list_tag + rows * row_words;
}

std::size_t words_of_tensor(std::size_t values, HiddenType type) {
  return tensor_words + words_of_bytes(values * bytes_of_value(type));
}

std::size_t words_of(std::span<const Prune> prunes) {
  auto words = list_tag;
  for (const auto& prune : prunes)
    words += prune_words + prune.path.size();
  return words;
}

void encode(std::span<const Row> rows, capnp::List<schema::Row>::Builder out) {
  for (std::size_t i = 0; i < rows.size(); ++i)
    encode(rows[i], out[static_cast<capnp::uint>(i)]);
}

void encode(std::span<const Prune> prunes, capnp::List<schema::Prune>::Builder out) {
  for (std::size_t i = 0; i < prunes.size(); ++i) {
    auto prune = out[static_cast<capnp::uint>(i)];
    prune.setSession(prunes[i].session);
    prune.setVersion(prunes[i].version);
    copy(prunes[i].path, prune.initPath(prunes[i].path.size()));
    encode(prunes[i].root, prune.initRoot());
  }
}

std::uint8_t* init_tensor(schema::Tensor::Builder out, std::size_t rows, std::size_t columns,
                          HiddenType type) {
  out.setRows(static_cast<std::uint32_t>(rows));
  out.setColumns(static_cast<std::uint32_t>(columns));
  out.setType(static_cast<schema::HiddenType>(type));
  return out.initValues(static_cast<capnp::uint>(rows * columns * bytes_of_value(type))).begin();
}

std::size_t variable_words(const Segment& x) {
  return words_of_rows(x.rows.size()) + words_of(x.prunes) + words_of(x.hidden);
}
void encode(const Segment& x, schema::Segment::Builder out) {
  out.setId(x.id);
  encode(x.rows, out.initRows(x.rows.size()));
  encode(x.prunes, out.initPrunes(x.prunes.size()));
  if (present(x.hidden))
    encode(x.hidden, out.initHidden());
  out.setAwaitsMore(x.awaits_more);
}

std::size_t variable_words(const Prunes& x) {
  return words_of(x.prunes) + x.ended.size();
}
void encode(const Prunes& x, schema::Prunes::Builder out) {
  encode(x.prunes, out.initPrunes(x.prunes.size()));
  copy(x.ended, out.initEnded(x.ended.size()));
}

std::size_t variable_words(const Open& x) {
  return words_of_tokens(x.prompt.size()) + list_tag + x.sampling.logit_bias.size() +
         words_of(x.prunes);
}
void encode(const Open& x, schema::Open::Builder out) {
  out.setSession(x.session);
  out.setRoot(x.root);
  copy(x.prompt, out.initPrompt(x.prompt.size()));
  encode(x.sampling, out.initSampling());
  out.setPositionLimit(x.position_limit);
  out.setSlots(x.slots);
  out.setPrefixSession(x.prefix_session);
  out.setCachedTokens(x.cached_tokens);
  out.setRestores(x.restores);
  encode(x.prunes, out.initPrunes(x.prunes.size()));
  out.setPromptTokens(x.prompt_tokens);
}

std::size_t variable_words(const Grow&) {
  return 0;
}
void encode(const Grow& x, schema::Grow::Builder out) {
  out.setSession(x.session);
  out.setPositionLimit(x.position_limit);
  out.setSlots(x.slots);
}

std::size_t variable_words(const Restored& x) {
  return words_of(x.hidden);
}
void encode(const Restored& x, schema::Restored::Builder out) {
  out.setSession(x.session);
  out.setPosition(x.position);
  out.setCount(x.count);
  if (present(x.hidden))
    encode(x.hidden, out.initHidden());
}

std::size_t variable_words(const Kept& x) {
  return list_tag + x.sessions.size() * capnp::sizeInWords<schema::KeptSession>();
}
void encode(const Kept& x, schema::Kept::Builder out) {
  auto sessions = out.initSessions(static_cast<capnp::uint>(x.sessions.size()));
  for (capnp::uint i = 0; i < sessions.size(); ++i) {
    sessions[i].setSession(x.sessions[i].session);
    sessions[i].setTokens(x.sessions[i].tokens);
    sessions[i].setRestorable(x.sessions[i].restorable);
  }
  out.setSegment(x.segment);
}

std::size_t variable_words(const Close& x) {
  return words_of(x.prunes);
}
void encode(const Close& x, schema::Close::Builder out) {
  out.setSession(x.session);
  out.setKeep(x.keep);
  encode(x.prunes, out.initPrunes(x.prunes.size()));
}

std::size_t variable_words(const Cancel&) {
  return 0;
}
void encode(const Cancel& x, schema::Cancel::Builder out) {
  out.setSession(x.session);
}

std::size_t variable_words(const SegmentEnd&) {
  return 0;
}
void encode(const SegmentEnd& x, schema::SegmentEnd::Builder out) {
  out.setSegment(x.segment);
  out.setStage(x.stage);
}

std::size_t variable_words(const Verdict& x) {
  auto words = list_tag + x.ended.size();
  for (const auto& walk : x.paths)
    words += walk_words + list_tag + walk.path.size() * path_node_words + words_of(walk.logprobs);
  return words;
}
void encode(const Verdict& x, schema::Verdict::Builder out) {
  auto paths = out.initPaths(x.paths.size());
  for (std::size_t i = 0; i < x.paths.size(); ++i) {
    const auto& walk = x.paths[i];
    auto to = paths[static_cast<capnp::uint>(i)];
    to.setSession(walk.session);
    to.setVersion(walk.version);
    to.setNext(walk.next);
    auto path = to.initPath(walk.path.size());
    for (std::size_t j = 0; j < walk.path.size(); ++j) {
      auto node = path[static_cast<capnp::uint>(j)];
      node.setId(walk.path[j].id);
      node.setParent(walk.path[j].parent);
      node.setToken(walk.path[j].token);
    }
    encode(walk.logprobs, to.initLogprobs(walk.logprobs.size()));
  }
  copy(x.ended, out.initEnded(x.ended.size()));
}

std::size_t variable_words(const SentRows& x) {
  return words_of_rows(x.rows.size());
}
void encode(const SentRows& x, schema::SentRows::Builder out) {
  out.setSegment(x.segment);
  encode(x.rows, out.initRows(x.rows.size()));
}

std::size_t variable_words(const Features& x) {
  return x.nodes.size() + words_of(x.hidden);
}
void encode(const Features& x, schema::Features::Builder out) {
  out.setSession(x.session);
  copy(x.nodes, out.initNodes(x.nodes.size()));
  if (present(x.hidden))
    encode(x.hidden, out.initHidden());
  out.setTap(x.tap);
}

std::size_t variable_words(const Ready&) {
  return 0;
}
void encode(const Ready& x, schema::Ready::Builder out) {
  out.setSegment(x.segment);
  out.setFreeInUs(x.free_in_us);
}

std::size_t variable_words(const Tokens& x) {
  return words_of_tokens(x.tokens.size()) + words_of(x.logprobs);
}

void encode(const Tokens& x, schema::Tokens::Builder out) {
  out.setSession(x.session);
  out.setPosition(x.position);
  copy(x.tokens, out.initTokens(x.tokens.size()));
  encode(x.logprobs, out.initLogprobs(x.logprobs.size()));
}

std::size_t variable_words(const Closed&) {
  return 0;
}
void encode(const Closed& x, schema::Closed::Builder out) {
  out.setSession(x.session);
}

std::size_t variable_words(const TextDelta& x) {
  return words_of_text(x.text) + words_of(x.tokens);
}
void encode(const TextDelta& x, schema::TextDelta::Builder out) {
  out.setSession(x.session);
  out.setText(kj::StringPtr(x.text.c_str(), x.text.size()));
  encode(x.tokens, out.initTokens(x.tokens.size()));
}

std::size_t variable_words(const Report& x) {
  return words_of_bytes(limits::text + 1) + words_of_tokens(x.tokens.size());
}

void encode(const Report& x, schema::Report::Builder out) {
  out.setSession(x.session);
  out.setFinish(static_cast<schema::Finish>(x.finish));
  set_error(x.error, out);
  copy(x.tokens, out.initTokens(x.tokens.size()));
  out.setPromptTokens(x.prompt_tokens);
  out.setVerifications(x.verifications);
  out.setPrefillUs(x.prefill_us);
  out.setDecodeUs(x.decode_us);
  out.setRecoveries(x.recoveries);
  out.setPausedUs(x.paused_us);
  out.setCachedTokens(x.cached_tokens);
}

std::size_t variable_words(const Fault&) {
  return words_of_bytes(limits::text + 1);
}

void encode(const Fault& x, schema::Fault::Builder out) {
  out.setSession(x.session);
  out.setSegment(x.segment);
  out.setStage(x.stage);
  set_error(x.error, out);
  out.setUnreachable(x.unreachable);
  out.setReceiver(x.receiver);
}

}  // namespace flowspec
