#pragma once
/// The content of every message, as plain values. The schema in flowspec.capnp says the same for
/// the wire; wire.hpp converts. Nothing here knows Cap'n Proto or CAF.

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace flowspec {

using SessionId = std::uint64_t;
/// Names a node of a session's draft tree: unique in the session and never used again. 0 is "none".
using TreeNodeId = std::uint64_t;
using SegmentId = std::uint64_t;
using TreeVersion = std::uint64_t;
using Token = std::int32_t;
/// Absolute position in the text, the prompt's first token being 0.
using Position = std::uint32_t;

inline constexpr TreeNodeId no_node = 0;
inline constexpr SessionId no_session = 0;
/// The draft counts its ids up from 1, the tree pruner up from here: two ranges that never meet.
inline constexpr TreeNodeId first_fresh_node = TreeNodeId{1} << 63;
/// `Fault::stage` if the fault is not a stage's.
inline constexpr std::uint32_t not_a_stage = std::numeric_limits<std::uint32_t>::max();
/// Raised with every change of the schema that an older node would misread.
inline constexpr std::uint32_t protocol_version = 8;

/// One tree node on its way through the pipeline.
struct Row {
  SessionId session = 0;
  TreeNodeId id = no_node;
  TreeNodeId parent = no_node;
  Token token = 0;
  Position position = 0;
  friend bool operator==(const Row&, const Row&) = default;
};

/// How hidden states travel. models/types.hpp says what there is; 0 is float32.
enum class HiddenType : std::uint8_t;

/// A row-major matrix of float32. It borrows the memory of the message it came in if its values
/// travelled as float32, else it has memory of its own.
struct Tensor {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::span<const float> values;
  /// Keeps the memory alive; empty when `values` is owned by someone else.
  std::shared_ptr<const void> owner;
  /// Values of 16 bits have to be rounded to the type before they are sent.
  HiddenType type{};

  std::span<const float> row(std::size_t i) const { return values.subspan(i * columns, columns); }
};

/// Moves the root of one session's tree. `path` joins the committed prefix; of the live nodes, only
/// `root` and its sub-tree stay alive.
struct Prune {
  SessionId session = 0;
  /// The version of the tree after this prune; the first prune makes version 1.
  TreeVersion version = 0;
  std::vector<TreeNodeId> path;
  /// The new root as a row; a fresh root (not a node of the draft) has an id of the pruner's range.
  Row root;
  friend bool operator==(const Prune&, const Prune&) = default;
};

/// Rows that travel from stage to stage. Parents come before their children.
struct Segment {
  SegmentId id = 0;
  std::vector<Row> rows;
  /// Prunes that the sender applied since its last segment: the slow path of every prune.
  std::vector<Prune> prunes;
  /// Hidden states, rows x hidden size; empty on the way to the first stage.
  Tensor hidden;
  /// The tree of its rows continues in the next segment, and is to be verified as a whole.
  bool awaits_more = false;
};

/// From the tree pruner to all. Empty `prunes` with some `ended` means that no tree has changed.
struct Prunes {
  std::vector<Prune> prunes;
  /// Segments that have ended: their credits return to the draft together with the newer tree.
  std::vector<SegmentId> ended;
  friend bool operator==(const Prunes&, const Prunes&) = default;
};

/// Added to a token's logit.
struct LogitBias {
  Token token = 0;
  float bias = 0;
  friend bool operator==(const LogitBias&, const LogitBias&) = default;
};

/// How the next token is chosen from the logits. Temperature 0 is greedy.
struct SamplingParams {
  float temperature = 0;
  /// 0 keeps all tokens.
  std::uint32_t top_k = 0;
  /// 1 keeps all tokens.
  float top_p = 1;
  std::uint64_t seed = 0;
  /// 0 keeps all tokens.
  float min_p = 0;
  /// Logits of tokens that are in the text, prompt included, are divided by this if positive, else
  /// multiplied; 1: no penalty.
  float repetition_penalty = 1;
  /// Subtracted from a token's logit for each time that it is in the answer so far, and once if it is.
  float frequency_penalty = 0;
  float presence_penalty = 0;
  /// Rising tokens.
  std::vector<LogitBias> logit_bias{};
  /// 0: no log-probabilities are told; n: those of each token, and of the n - 1 likeliest.
  std::uint32_t logprobs = 0;
  friend bool operator==(const SamplingParams&, const SamplingParams&) = default;
};

/// Opens a session on every stage; travels in-band, ahead of its first rows.
struct Open {
  SessionId session = 0;
  /// The id of the prompt's first token that is not cached; it is the tree's first root.
  TreeNodeId root = no_node;
  std::vector<Token> prompt;
  SamplingParams sampling;
  /// Rows have positions below this.
  Position position_limit = 0;
  /// KV slots that the session holds at once at most; see `Grow`.
  std::uint32_t slots = 0;
  /// A session that is open, or was closed with `keep`, and whose committed text begins with the first
  /// `cached_tokens` tokens of the prompt: their KV is shared, and they are not computed again.
  /// `cached_tokens` is less than the prompt's size, since the output at the last token is needed.
  SessionId prefix_session = no_session;
  Position cached_tokens = 0;
  /// The receiver is new and has nothing of `prefix_session`: the cached tokens come in Restored
  /// messages.
  bool restores = false;
  /// Of `prefix_session`: the prunes that the sender applied since its last segment, so that every hop
  /// has committed what is shared.
  std::vector<Prune> prunes{};
  /// The position where the answer begins, if the prompt's last tokens are of it, since the session goes
  /// on with a text; 0: behind the prompt.
  Position prompt_tokens = 0;
  friend bool operator==(const Open&, const Open&) = default;
};

/// A session may go on to more positions; travels in-band, ahead of the rows that use them.
struct Grow {
  SessionId session = 0;
  /// The new ones, not lower than before.
  Position position_limit = 0;
  std::uint32_t slots = 0;
  friend bool operator==(const Grow&, const Grow&) = default;
};

/// From a hop, or the draft, to a new hop behind it: what cached positions were given as input, so that
/// only the new hop computes them again. In-band, between Open and the session's first rows.
struct Restored {
  SessionId session = 0;
  /// Of the first row; positions rise by one.
  Position position = 0;
  std::uint32_t count = 0;
  /// count x hidden size; empty on the way to the first stage, which knows the tokens.
  Tensor hidden;
};

/// What a hop has of a session that was put aside.
struct KeptSession {
  SessionId session = 0;
  /// Committed, from the text's beginning.
  Position tokens = 0;
  /// Of them, from the beginning: those whose output the hop can send again.
  Position restorable = 0;
  friend bool operator==(const KeptSession&, const KeptSession&) = default;
};

/// From a hop or the draft to the coordinator: it has put its sessions aside, and follows no message
/// about them any more.
struct Kept {
  std::vector<KeptSession> sessions;
  /// From the draft: the last one that it has sent.
  SegmentId segment = 0;
  friend bool operator==(const Kept&, const Kept&) = default;
};

/// Ends a session; travels in-band behind its last rows and frees its KV.
struct Close {
  SessionId session = 0;
  /// The KV of the committed positions is kept, until an Open takes it over or a second Close names
  /// the session.
  bool keep = false;
  /// With `keep`: the prunes that the sender applied since its last segment, so that every hop
  /// keeps the same positions.
  std::vector<Prune> prunes;
  friend bool operator==(const Close&, const Close&) = default;
};

/// Overtakes everything that is queued: rows of the session need not be computed any more.
struct Cancel {
  SessionId session = 0;
  friend bool operator==(const Cancel&, const Cancel&) = default;
};

/// From a stage to the tree pruner: all rows of the segment died here.
struct SegmentEnd {
  SegmentId segment = 0;
  std::uint32_t stage = not_a_stage;
  friend bool operator==(const SegmentEnd&, const SegmentEnd&) = default;
};

/// A node on an accepted path.
struct PathNode {
  TreeNodeId id = no_node;
  TreeNodeId parent = no_node;
  Token token = 0;
  friend bool operator==(const PathNode&, const PathNode&) = default;
};

/// How likely a token was.
struct TokenLogprob {
  struct Alternative {
    Token token = 0;
    float logprob = 0;
    friend bool operator==(const Alternative&, const Alternative&) = default;
  };
  Token token = 0;
  /// Natural logarithm of the probability at temperature 1, before tokens were left out.
  float logprob = 0;
  /// The likeliest tokens, best first.
  std::vector<Alternative> top{};
  friend bool operator==(const TokenLogprob&, const TokenLogprob&) = default;
};

/// The path along which the target model follows the tree, from the root of version `version`.
struct AcceptedPath {
  SessionId session = 0;
  TreeVersion version = 0;
  std::vector<PathNode> path;
  /// The target's own token after the last node of `path`.
  Token next = 0;
  /// If the session wants them: of the tokens of `path` but its first, and of `next`.
  std::vector<TokenLogprob> logprobs{};
  friend bool operator==(const AcceptedPath&, const AcceptedPath&) = default;
};

/// From the verifier to the tree pruner.
struct Verdict {
  std::vector<AcceptedPath> paths;
  std::vector<SegmentId> ended;
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

/// From the draft to the tree pruner: the rows of a segment that has just been sent.
struct SentRows {
  SegmentId segment = 0;
  std::vector<Row> rows;
  friend bool operator==(const SentRows&, const SentRows&) = default;
};

/// To the draft: the target's hidden states by node. From the verifier, what leaves the final norm;
/// from a stage, the residual stream that enters one of the layers that the draft reads.
struct Features {
  SessionId session = 0;
  std::vector<TreeNodeId> nodes;
  Tensor hidden;
  /// Which of the hidden states that the draft reads, from 0; a node's feature is made of all.
  std::uint32_t tap = 0;
};

/// From the first stage to the draft.
struct Ready {
  /// The segment that the stage has begun, or, with 0 µs, has finished.
  SegmentId segment = 0;
  /// Time until the stage can start another segment, in microseconds.
  std::uint64_t free_in_us = 0;
  friend bool operator==(const Ready&, const Ready&) = default;
};

/// From the tree pruner to the session: accepted tokens, in order.
struct Tokens {
  SessionId session = 0;
  Position position = 0;
  std::vector<Token> tokens;
  /// One per token, if the session wants them.
  std::vector<TokenLogprob> logprobs{};
  friend bool operator==(const Tokens&, const Tokens&) = default;
};

/// The session is closed on every stage.
struct Closed {
  SessionId session = 0;
  friend bool operator==(const Closed&, const Closed&) = default;
};

/// From the session to its client: more text. Never ends inside a UTF-8 character.
struct TextDelta {
  SessionId session = 0;
  std::string text;
  /// If the session wants them: of the tokens that have come, whose text may be in a later message.
  std::vector<TokenLogprob> tokens{};
  friend bool operator==(const TextDelta&, const TextDelta&) = default;
};

/// Why a session has ended.
enum class Finish : std::uint16_t {
  end_of_text,  ///< the model said so
  length,       ///< max_tokens, or the end of the context
  stop_string,
  cancelled,
  failed,  ///< see the error
};

/// From the session to its client, last of all: nothing of it is left in the pipeline.
struct Report {
  SessionId session = 0;
  Finish finish = Finish::end_of_text;
  std::string error;
  std::vector<Token> tokens;
  std::uint32_t prompt_tokens = 0;
  /// Times that the target said how the text goes on; tokens per verification is the accept length.
  std::uint64_t verifications = 0;
  /// From the start to the first token, and from there to the last.
  std::uint64_t prefill_us = 0;
  std::uint64_t decode_us = 0;
  /// Pauses in which a lost part of the pipeline was made again, and how long they took, which is part
  /// of the times above.
  std::uint32_t recoveries = 0;
  std::uint64_t paused_us = 0;
  /// Of the prompt, those whose keys and values were there already.
  std::uint32_t cached_tokens = 0;
  friend bool operator==(const Report&, const Report&) = default;
};

/// Ends one session and no other. From a node agent to the coordinator: a part of the pipeline (see
/// wiring.hpp for its number) has ended, or is of no use.
struct Fault {
  SessionId session = 0;
  SegmentId segment = 0;
  std::uint32_t stage = not_a_stage;
  std::string error;
  /// From an agent: the stage is well, but does not reach one that it sends to: the one at this place in
  /// the list that it was bound to.
  bool unreachable = false;
  std::uint32_t receiver = 0;
  friend bool operator==(const Fault&, const Fault&) = default;
};

}  // namespace flowspec
