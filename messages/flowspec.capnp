@0xd1f280f6b77d78f2;
# What FlowSpec's actors say to each other. types.hpp has the same structs as plain C++ values and
# tells what each field means; decode.cpp checks every range named here.
#
# Growing the schema: new fields go at the end with the next number; numbers are never used again.
# A change that an older node would misread also raises protocolVersion (here and in types.hpp).

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("flowspec::schema");

const protocolVersion :UInt32 = 8;

struct Row {
  # One tree node on its way through the pipeline.
  session @0 :UInt64;
  id @1 :UInt64;           # never 0
  parent @2 :UInt64;       # 0: none
  token @3 :Int32;         # >= 0
  position @4 :UInt32;
}

enum HiddenType {
  # How the values of hidden states travel, and what they are rounded to after every layer.
  f32 @0;
  f16 @1;                  # IEEE binary16
  bf16 @2;
}

struct Tensor {
  # A row-major matrix. Absent where there is none.
  rows @0 :UInt32;
  columns @1 :UInt32;
  values @2 :Data;         # rows * columns values, little-endian
  type @3 :HiddenType;
}

struct Prune {
  # Moves the root of one session's tree.
  session @0 :UInt64;
  version @1 :UInt64;      # >= 1
  path @2 :List(UInt64);   # joins the committed prefix; ids, never 0
  root @3 :Row;            # of the same session
}

struct Segment {
  # Stage to stage (the draft to the first): rows, parents before children; at least one.
  id @0 :UInt64;
  rows @1 :List(Row);
  prunes @2 :List(Prune);  # what the sender applied since its last segment
  hidden @3 :Tensor;       # rows x hidden size; absent on the way to the first stage
  unused4 @4 :List(Tensor);  # was hidden states of chosen layers
  awaitsMore @5 :Bool;     # the tree goes on in the next segment, and is verified as a whole
}

struct Prunes {
  # Tree pruner to everybody: prunes and the segments that have ended.
  prunes @0 :List(Prune);
  ended @1 :List(UInt64);
}

struct LogitBias {
  token @0 :Int32;         # >= 0
  bias @1 :Float32;        # finite
}

struct SamplingParams {
  # How the next token is chosen from the logits. Temperature 0 is greedy.
  temperature @0 :Float32; # finite, >= 0
  topK @1 :UInt32;         # 0: all
  topP @2 :Float32 = 1;    # in (0, 1]
  seed @3 :UInt64;
  minP @4 :Float32;        # in [0, 1]
  repetitionPenalty @5 :Float32 = 1;  # finite, > 0
  frequencyPenalty @6 :Float32;  # finite
  presencePenalty @7 :Float32;   # finite
  logitBias @8 :List(LogitBias); # rising tokens, at most 1024
  logprobs @9 :UInt32;     # 0: none; at most 64
}

struct Open {
  # Opens a session on every stage; in-band.
  session @0 :UInt64;
  root @1 :UInt64;         # the prompt's first token that is not cached; never 0
  prompt @2 :List(Int32);  # 1 to positionLimit tokens
  sampling @3 :SamplingParams;
  positionLimit @4 :UInt32;
  slots @5 :UInt32;        # KV slots that it holds at most
  prefixSession @6 :UInt64;     # open, or closed with keep: its KV is shared; 0: none
  cachedTokens @7 :UInt32;         # prompt tokens that are in it; below the prompt's size
  restores @8 :Bool;       # the receiver is new: the cached tokens come in Restored messages
  prunes @9 :List(Prune);  # of prefixSession: what the sender applied since its last segment
  promptTokens @10 :UInt32;        # where the answer begins, at most the prompt's size; 0: behind it
}

struct Grow {
  # A session may go on to more positions; in-band.
  session @0 :UInt64;
  positionLimit @1 :UInt32;
  slots @2 :UInt32;
}

struct Restored {
  # Hop to a new hop behind it: the input of cached positions; in-band, between Open and the first rows.
  session @0 :UInt64;
  position @1 :UInt32;     # of the first row
  count @2 :UInt32;        # rows, at least 1
  hidden @3 :Tensor;       # count x hidden size; absent on the way to the first stage
}

struct KeptSession {
  # What a hop has of a session.
  session @0 :UInt64;
  tokens @1 :UInt32;       # committed, from the text's beginning
  restorable @2 :UInt32;   # of them, those whose output the hop can send again
}

struct Kept {
  # Hop or draft to coordinator: it has put its sessions aside.
  sessions @0 :List(KeptSession);
  segment @1 :UInt64;      # of the draft: the last one that it sent
}

struct Close {
  # Ends a session; in-band, behind its last rows.
  session @0 :UInt64;
  keep @1 :Bool;           # the KV of its committed positions, for a session to come
  prunes @2 :List(Prune);  # with keep: what the sender applied since its last segment
}

struct Cancel {
  # The session's rows need not be computed any more; urgent.
  session @0 :UInt64;
}

struct SegmentEnd {
  # Stage to tree pruner: all rows of the segment died there.
  segment @0 :UInt64;
  stage @1 :UInt32;
}

struct PathNode {
  # A node on an accepted path.
  id @0 :UInt64;           # never 0
  parent @1 :UInt64;
  token @2 :Int32;         # >= 0
}

struct Alternative {
  token @0 :Int32;         # >= 0
  logprob @1 :Float32;     # no NaN
}

struct TokenLogprob {
  # How likely a token was.
  token @0 :Int32;         # >= 0
  logprob @1 :Float32;     # no NaN
  top @2 :List(Alternative);  # at most 64
}

struct AcceptedPath {
  # What the target model says along one session's tree.
  session @0 :UInt64;
  version @1 :UInt64;
  path @2 :List(PathNode);
  next @3 :Int32;          # >= 0
  logprobs @4 :List(TokenLogprob);  # of the path but its first node, and of next; or empty
}

struct Verdict {
  # Verifier to tree pruner.
  paths @0 :List(AcceptedPath);
  ended @1 :List(UInt64);
}

struct SentRows {
  # Draft to tree pruner: the rows of a segment that has just been sent.
  segment @0 :UInt64;
  rows @1 :List(Row);
}

struct Features {
  # Verifier or stage to draft: the target's hidden states by node.
  session @0 :UInt64;
  nodes @1 :List(UInt64);  # never 0
  hidden @2 :Tensor;       # a row per node, or absent
  tap @3 :UInt32;          # which of the hidden states that the draft reads; below 64
}

struct Ready {
  # First stage to draft: when it could start on another segment.
  freeInUs @0 :UInt64;
  segment @1 :UInt64;      # what it is about: begun, or with 0 us finished
}

struct Tokens {
  # Tree pruner to session: accepted tokens, in order.
  session @0 :UInt64;
  position @1 :UInt32;     # of the first one
  tokens @2 :List(Int32);  # >= 0
  logprobs @3 :List(TokenLogprob);  # one per token, or empty
}

struct Closed {
  # The session is closed on every stage.
  session @0 :UInt64;
}

struct TextDelta {
  # Session to client: more text, whole UTF-8 characters.
  session @0 :UInt64;
  text @1 :Text;
  tokens @2 :List(TokenLogprob);
}

enum Finish {
  # Why a session has ended.
  endOfText @0;
  length @1;
  stopString @2;
  cancelled @3;
  failed @4;
}

struct Report {
  # Session to client, last of all.
  session @0 :UInt64;
  finish @1 :Finish;
  error @2 :Text;          # cut by the sender where it is too long
  tokens @3 :List(Int32);  # >= 0
  promptTokens @4 :UInt32;
  verifications @5 :UInt64;
  prefillUs @6 :UInt64;
  decodeUs @7 :UInt64;
  recoveries @8 :UInt32;   # pauses in which a lost part of the pipeline was made again
  pausedUs @9 :UInt64;     # all of them together; part of prefillUs and decodeUs
  cachedTokens @10 :UInt32;
}

struct Fault {
  # Ends one session and no other.
  session @0 :UInt64;
  segment @1 :UInt64;
  stage @2 :UInt32;
  error @3 :Text;          # cut by the sender where it is too long
  unreachable @4 :Bool;    # from an agent: the part is well, but does not reach one that it sends to
  receiver @5 :UInt32;     # its place in the list that the part was bound to
}

struct EmulatedStage {
  # The device that a stage is to behave like. Times are at most an hour.
  leastNs @0 :UInt64;      # of a forward
  rowNs @1 :UInt64;        # of a forward, for every row where that is more
  fixedNs @2 :UInt64;      # of a forward, always
  bitsPerSecond @3 :UInt64;  # of the link to the next hop; 0: no limit, else >= 1000
  latencyNs @4 :UInt64;    # of that link
  rowBytes @5 :UInt32;     # on that link; at most 1 MiB
  readyLeadNs @6 :UInt64;  # the first stage's end is announced so long before it comes
}

enum KvType {
  # How a stage keeps the keys and values of its sessions.
  f32 @0;
  f16 @1;
}

struct StageSpec {
  # Coordinator to node: which stage to build, and from which model.
  protocol @0 :UInt32;     # the sender's protocolVersion
  stage @1 :UInt32;
  firstLayer @2 :UInt32;
  endLayer @3 :UInt32;     # one past the last; >= firstLayer
  modelFile @4 :Text;      # no folders in it
  modelHash @5 :Text;      # hexadecimal digits only
  numerics @6 :Text;
  threads @7 :UInt32;      # >= 1
  maxRows @8 :UInt32;      # >= 1
  emulation @9 :EmulatedStage;  # absent: as fast as the machine is
  kvType @10 :KvType;
  hiddenType @11 :HiddenType;  # of the segments that come and go, too
  taps @12 :List(UInt32);  # the layers whose inputs the draft reads, rising; at most 64
  keepsOutput @13 :Bool;   # of committed positions, so that a new stage behind it can be given its input
  kvSlots @14 :UInt32;     # wanted for all sessions together; 0: as many as there is memory for
}

enum Part {
  # What a pipeline consists of beside its stages.
  verifier @0;
  draft @1;
  pruner @2;
}

enum LoadType {
  # What the weights of a draft become when they are loaded.
  asIs @0;
  q80 @1;
  q40 @2;
}

struct PartSpec {
  # Coordinator to node: which part of a pipeline to build, and from which models.
  protocol @0 :UInt32;     # the sender's protocolVersion
  part @1 :Part;
  stages @2 :UInt32;       # of the pipeline; >= 1
  modelFile @3 :Text;      # no folders in it
  modelHash @4 :Text;      # hexadecimal digits only
  numerics @5 :Text;
  threads @6 :UInt32;      # >= 1
  maxRows @7 :UInt32;      # of a segment, or of a draft forward; >= 1
  kvType @8 :KvType;
  hiddenType @9 :HiddenType;
  sendsFeatures @10 :Bool; # the verifier, to the draft
  mode @11 :Text;
  adaptive @12 :Bool;
  coupled @13 :Bool;
  lookup @14 :Bool;
  draft @15 :Text;         # "none", "lookup", "self", or a file or folder, no folders before it
  draftHash @16 :Text;     # hexadecimal digits only; empty: no weights of its own
  draftType @17 :LoadType;
  draftVocabulary @18 :List(Int32);  # tokens that have logits; empty: all
  memoryPair @19 :Text;    # names what was learnt of draft and model, and of the places
  memoryPlace @20 :Text;
  kvSlots @21 :UInt32;     # of the draft model, as of a stage
}

struct ModelFile {
  name @0 :Text;           # no folders in it
  bytes @1 :UInt64;
  headBytes @2 :UInt64;    # all but the weights, from the beginning; at most bytes
}

struct ModelCard {
  # Node to whoever has no weights: what a model consists of.
  name @0 :Text;           # no folders in it
  hash @1 :Text;           # hexadecimal digits only
  isFolder @2 :Bool;
  files @3 :List(ModelFile);
}

struct FilePiece {
  # Consecutive bytes of a file.
  bytes @0 :Data;
}

struct NodeInfo {
  # Node to coordinator: what it is and has.
  protocol @0 :UInt32;     # the node's protocolVersion
  name @1 :Text;
  version @2 :Text;
  numerics @3 :Text;
  cores @4 :UInt32;
  memoryBytes @5 :UInt64;
  freeMemoryBytes @6 :UInt64;
  stages @7 :UInt32;
  connections @8 :List(PeerConnection);  # at most 4096
  kvLimitBytes @9 :UInt64; # of one stage; 0: not told
  maxStages @10 :UInt32;   # 0: not told
  speed @11 :LayerSpeed;   # absent: no model was named, or see noSpeed
  noSpeed @12 :Text;
}

struct LayerSpeed {
  # How fast a node computes the layers of a model. Times are from 1 ns to an hour.
  threads @0 :UInt32;      # >= 1
  layerBytes @1 :UInt64;   # >= 1
  rowNs @2 :UInt64;        # a forward of one row through one layer
  rows16Ns @3 :UInt64;
  rows64Ns @4 :UInt64;
}

struct PeerConnection {
  # A connection of a node with another process.
  name @0 :Text;           # of the other
  address @1 :Text;
  bytesIn @2 :UInt64;
  bytesOut @3 :UInt64;
  bytesInPerS @4 :UInt64;  # lately
  bytesOutPerS @5 :UInt64;
  controlFrames @6 :UInt32;  # waiting to be sent
  dataFrames @7 :UInt32;
  waitingBytes @8 :UInt64;
  roundTripUs @9 :UInt32;
  linkBytesPerS @10 :UInt64;  # what the link carries; 0: not probed
}

struct SegmentMark {
  # A segment at a hop.
  segment @0 :UInt64;
  rows @1 :UInt32;
  kept @2 :UInt32;         # of them, committed since
  agoUs @3 :UInt64;
  busyUs @4 :UInt64;
}

struct StageStats {
  # Stage to coordinator: what it has done since it was made.
  stage @0 :UInt32;
  segments @1 :UInt64;
  rowsComputed @2 :UInt64;
  rowsDropped @3 :UInt64;
  rowsUnknown @4 :UInt64;
  malformed @5 :UInt64;
  busyNs @6 :UInt64;
  sessions @7 :UInt64;
  kvSlotsUsed @8 :UInt64;
  kvBytes @9 :UInt64;
  # Of the draft only: forwards, and what the controller did.
  draftForwards @10 :UInt64;
  guessedTokens @11 :UInt64;
  plainTokens @12 :UInt64;
  switches @13 :UInt64;
  sendReach @14 :Float64;
  hold @15 :UInt32;
  # Tokens of answers at places where it had guessed, and those that were among its guesses.
  guesses @16 :UInt64;
  rightGuesses @17 :UInt64;
  draftScale @18 :Float64; # of the draft's guesses; 0: not calibrated
  treeNodes @19 :UInt64;
  treeSent @20 :UInt64;
  kvSlots @21 :UInt64;     # that there are
  rowsKept @22 :UInt64;
  recent @23 :List(SegmentMark);  # at most 64
}
