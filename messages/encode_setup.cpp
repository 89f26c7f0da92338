#include "messages/codec.hpp"
#include "messages/encoding.hpp"
#include "messages/setup_types.hpp"

namespace flowspec {

namespace {

void encode(const EmulatedStage& x, schema::EmulatedStage::Builder out) {
  out.setLeastNs(x.forward.least_ns);
  out.setRowNs(x.forward.row_ns);
  out.setFixedNs(x.forward.fixed_ns);
  out.setBitsPerSecond(x.link.bits_per_second);
  out.setLatencyNs(x.link.latency_ns);
  out.setRowBytes(x.link.row_bytes);
  out.setReadyLeadNs(x.ready_lead_ns);
}

}  // namespace

std::size_t variable_words(const StageSpec& x) {
  return words_of_text(x.model_file) + words_of_text(x.model_hash) + words_of_text(x.numerics) +
         (x.emulation ? capnp::sizeInWords<schema::EmulatedStage>() : 0) + (x.taps.size() + 1) / 2;
}

void encode(const StageSpec& x, schema::StageSpec::Builder out) {
  out.setProtocol(x.protocol);
  out.setStage(x.stage);
  out.setFirstLayer(x.first_layer);
  out.setEndLayer(x.end_layer);
  out.setModelFile(text_of(x.model_file));
  out.setModelHash(text_of(x.model_hash));
  out.setNumerics(text_of(x.numerics));
  out.setThreads(x.threads);
  out.setMaxRows(x.max_rows);
  if (x.emulation)
    encode(*x.emulation, out.initEmulation());
  out.setKvType(static_cast<schema::KvType>(x.kv_type));
  out.setHiddenType(static_cast<schema::HiddenType>(x.hidden_type));
  copy(x.taps, out.initTaps(static_cast<capnp::uint>(x.taps.size())));
  out.setKeepsOutput(x.keeps_output);
  out.setKvSlots(x.kv_slots);
}

std::size_t variable_words(const PartSpec& x) {
  std::size_t words = words_of_tokens(x.draft_vocabulary.size());
  for (const auto* text : {&x.model_file, &x.model_hash, &x.numerics, &x.mode, &x.draft,
                           &x.draft_hash, &x.memory_pair, &x.memory_place})
    words += words_of_text(*text);
  return words;
}

void encode(const PartSpec& x, schema::PartSpec::Builder out) {
  out.setProtocol(x.protocol);
  out.setPart(static_cast<schema::Part>(x.part));
  out.setStages(x.stages);
  out.setModelFile(text_of(x.model_file));
  out.setModelHash(text_of(x.model_hash));
  out.setNumerics(text_of(x.numerics));
  out.setThreads(x.threads);
  out.setMaxRows(x.max_rows);
  out.setKvType(static_cast<schema::KvType>(x.kv_type));
  out.setHiddenType(static_cast<schema::HiddenType>(x.hidden_type));
  out.setSendsFeatures(x.sends_features);
  out.setMode(text_of(x.mode));
  out.setAdaptive(x.adaptive);
  out.setCoupled(x.coupled);
  out.setLookup(x.lookup);
  out.setDraft(text_of(x.draft));
  out.setDraftHash(text_of(x.draft_hash));
  out.setDraftType(static_cast<schema::LoadType>(x.draft_type));
  copy(x.draft_vocabulary,
       out.initDraftVocabulary(static_cast<capnp::uint>(x.draft_vocabulary.size())));
  out.setMemoryPair(text_of(x.memory_pair));
  out.setMemoryPlace(text_of(x.memory_place));
  out.setKvSlots(x.kv_slots);
}

std::size_t variable_words(const ModelCard& x) {
  auto words = words_of_text(x.name) + words_of_text(x.hash);
  words += 1 + x.files.size() * capnp::sizeInWords<schema::ModelFile>();
  for (const auto& file : x.files)
    words += words_of_text(file.name);
  return words;
}

void encode(const ModelCard& x, schema::ModelCard::Builder out) {
  out.setName(text_of(x.name));
  out.setHash(text_of(x.hash));
  out.setIsFolder(x.is_folder);
  auto files = out.initFiles(static_cast<capnp::uint>(x.files.size()));
  for (capnp::uint i = 0; i < files.size(); ++i) {
    files[i].setName(text_of(x.files[i].name));
    files[i].setBytes(x.files[i].bytes);
    files[i].setHeadBytes(x.files[i].head_bytes);
  }
}

std::size_t variable_words(const FilePiece& x) {
  return words_of_bytes(x.bytes.size());
}

void encode(const FilePiece& x, schema::FilePiece::Builder out) {
  out.setBytes(kj::arrayPtr(reinterpret_cast<const kj::byte*>(x.bytes.data()), x.bytes.size()));
}

std::size_t variable_words(const NodeInfo& x) {
  auto words = words_of_text(x.name) + words_of_text(x.version) + words_of_text(x.numerics);
  words += 1 + x.connections.size() * capnp::sizeInWords<schema::PeerConnection>();
  for (const PeerConnection& connection : x.connections)
    words += words_of_text(connection.name) + words_of_text(connection.address);
  words += words_of_text(x.no_speed);
  if (x.speed)
    words += capnp::sizeInWords<schema::LayerSpeed>();
  return words;
}

void encode(const NodeInfo& x, schema::NodeInfo::Builder out) {
  out.setProtocol(x.protocol);
  out.setName(text_of(x.name));
  out.setVersion(text_of(x.version));
  out.setNumerics(text_of(x.numerics));
  out.setCores(x.cores);
  out.setMemoryBytes(x.memory_bytes);
  out.setFreeMemoryBytes(x.free_memory_bytes);
  out.setStages(x.stages);
  auto connections = out.initConnections(static_cast<capnp::uint>(x.connections.size()));
  for (capnp::uint i = 0; i < connections.size(); ++i) {
    const PeerConnection& connection = x.connections[i];
    auto to = connections[i];
    to.setName(text_of(connection.name));
    to.setAddress(text_of(connection.address));
    to.setBytesIn(connection.bytes_in);
    to.setBytesOut(connection.bytes_out);
    to.setBytesInPerS(connection.bytes_in_per_s);
    to.setBytesOutPerS(connection.bytes_out_per_s);
    to.setControlFrames(connection.control_frames);
    to.setDataFrames(connection.data_frames);
    to.setWaitingBytes(connection.waiting_bytes);
    to.setRoundTripUs(connection.round_trip_us);
    to.setLinkBytesPerS(connection.link_bytes_per_s);
  }
  out.setKvLimitBytes(x.kv_limit_bytes);
  out.setMaxStages(x.max_stages);
  if (x.speed) {
    auto speed = out.initSpeed();
    speed.setThreads(x.speed->threads);
    speed.setLayerBytes(x.speed->layer_bytes);
    speed.setRowNs(x.speed->row_ns);
    speed.setRows16Ns(x.speed->rows16_ns);
    speed.setRows64Ns(x.speed->rows64_ns);
  }
  out.setNoSpeed(text_of(x.no_speed));
}

std::size_t variable_words(const StageStats& x) {
  return 1 + x.recent.size() * capnp::sizeInWords<schema::SegmentMark>();
}
void encode(const StageStats& x, schema::StageStats::Builder out) {
  out.setStage(x.stage);
  out.setSegments(x.segments);
  out.setRowsComputed(x.rows_computed);
  out.setRowsDropped(x.rows_dropped);
  out.setRowsUnknown(x.rows_unknown);
  out.setMalformed(x.malformed);
  out.setBusyNs(x.busy_ns);
  out.setSessions(x.sessions);
  out.setKvSlotsUsed(x.kv_slots_used);
  out.setKvBytes(x.kv_bytes);
  out.setDraftForwards(x.draft_forwards);
  out.setGuessedTokens(x.guessed_tokens);
  out.setPlainTokens(x.plain_tokens);
  out.setSwitches(x.switches);
  out.setSendReach(x.send_reach);
  out.setHold(x.hold);
  out.setGuesses(x.guesses);
  out.setRightGuesses(x.right_guesses);
  out.setDraftScale(x.draft_scale);
  out.setTreeNodes(x.tree_nodes);
  out.setTreeSent(x.tree_sent);
  out.setKvSlots(x.kv_slots);
  out.setRowsKept(x.rows_kept);
  auto recent = out.initRecent(static_cast<capnp::uint>(x.recent.size()));
  for (capnp::uint i = 0; i < recent.size(); ++i) {
    recent[i].setSegment(x.recent[i].segment);
    recent[i].setRows(x.recent[i].rows);
    recent[i].setKept(x.recent[i].kept);
    recent[i].setAgoUs(x.recent[i].ago_us);
    recent[i].setBusyUs(x.recent[i].busy_us);
  }
}

}  // namespace flowspec
