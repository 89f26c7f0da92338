#include <cmath>
#include <string>

#include "messages/decoding.hpp"
#include "messages/setup_types.hpp"

namespace flowspec {

namespace {

EmulatedStage emulated_stage(schema::EmulatedStage::Reader in) {
  EmulatedStage out;
  out.forward = {in.getLeastNs(), in.getRowNs(), in.getFixedNs()};
  out.link = {in.getBitsPerSecond(), in.getLatencyNs(), in.getRowBytes()};
  out.ready_lead_ns = in.getReadyLeadNs();
  for (auto time : {out.forward.least_ns, out.forward.row_ns, out.forward.fixed_ns,
                    out.link.latency_ns, out.ready_lead_ns})
    count(time, limits::emulated_ns, "nanoseconds of the emulated device");
  count(out.link.row_bytes, limits::emulated_row_bytes, "bytes of a row on the emulated link");
  check(out.link.bits_per_second == 0 || out.link.bits_per_second >= limits::emulated_rate,
        "the emulated link has a rate below 1000 bit/s");
  return out;
}

bool is_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

LayerSpeed layer_speed(schema::LayerSpeed::Reader in) {
  auto time = [](std::uint64_t ns) {
    check(ns >= 1 && ns <= limits::emulated_ns, "a layer's time is 0, or more than an hour");
    return ns;
  };
  LayerSpeed speed{in.getThreads(), in.getLayerBytes(), time(in.getRowNs()), time(in.getRows16Ns()),
                   time(in.getRows64Ns())};
  check(speed.threads != 0, "no threads");
  count(speed.threads, limits::threads, "threads");
  check(speed.layer_bytes != 0, "a layer without weights");
  return speed;
}

/// Or nothing. A peer must not make a node read files outside its model folders.
std::string file_name_if_any(capnp::Text::Reader in, const char* what) {
  auto name = text(in, what);
  if (!name.empty() && !is_file_name(name))
    throw DecodeError(std::string("the ") + what + " is not a plain file name");
  return name;
}

std::string file_name(capnp::Text::Reader in, const char* what) {
  auto name = file_name_if_any(in, what);
  if (name.empty())
    throw DecodeError(std::string("the ") + what + " is not a plain file name");
  return name;
}

std::string hash(capnp::Text::Reader in, const char* what) {
  auto digits = text(in, what);
  if (digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
    throw DecodeError(std::string("the ") + what + " has other characters than hexadecimal digits");
  return digits;
}

std::uint32_t threads(std::uint32_t value) {
  check(value != 0, "no threads");
  return static_cast<std::uint32_t>(count(value, limits::threads, "threads"));
}

std::uint32_t max_rows(std::uint32_t value) {
  check(value != 0, "no rows");
  return static_cast<std::uint32_t>(count(value, limits::rows, "rows"));
}

KvType kv_type(schema::KvType type) {
  check(type <= schema::KvType::F16, "an unknown type of keys and values");
  return static_cast<KvType>(type);
}

}  // namespace

void decode(schema::StageSpec::Reader in, const Owner&, StageSpec& out) {
  out.protocol = in.getProtocol();
  out.stage = in.getStage();
  out.first_layer = in.getFirstLayer();
  out.end_layer = in.getEndLayer();
  out.model_file = file_name(in.getModelFile(), "model file");
  out.model_hash = hash(in.getModelHash(), "model hash");
  out.numerics = text(in.getNumerics(), "numerics");
  out.threads = threads(in.getThreads());
  out.max_rows = max_rows(in.getMaxRows());
  check(out.first_layer <= out.end_layer, "the last layer comes before the first");
  count(out.end_layer, limits::layers, "layers");
  if (in.hasEmulation())
    out.emulation = emulated_stage(in.getEmulation());
  out.kv_type = kv_type(in.getKvType());
  out.hidden_type = hidden_type(in.getHiddenType());
  auto taps = in.getTaps();
  out.taps.reserve(count(taps.size(), limits::taps, "taps"));
  for (auto tap : taps) {
    check(tap <= limits::layers, "a tap beyond the last layer");
    check(out.taps.empty() || out.taps.back() < tap, "taps that do not rise");
    out.taps.push_back(tap);
  }
  out.keeps_output = in.getKeepsOutput();
  out.kv_slots = in.getKvSlots();
}

static_assert(static_cast<int>(Part::pruner) == static_cast<int>(schema::Part::PRUNER));

void decode(schema::PartSpec::Reader in, const Owner&, PartSpec& out) {
  out.protocol = in.getProtocol();
  check(in.getPart() <= schema::Part::PRUNER, "an unknown part of a pipeline");
  out.part = static_cast<Part>(in.getPart());
  out.stages = in.getStages();
  check(out.stages != 0, "no stages");
  count(out.stages, limits::layers, "stages");
  out.model_file = file_name_if_any(in.getModelFile(), "model file");
  out.model_hash = hash(in.getModelHash(), "model hash");
  out.numerics = text(in.getNumerics(), "numerics");
  out.threads = threads(in.getThreads());
  out.max_rows = max_rows(in.getMaxRows());
  out.kv_type = kv_type(in.getKvType());
  out.hidden_type = hidden_type(in.getHiddenType());
  out.sends_features = in.getSendsFeatures();
  out.mode = text(in.getMode(), "mode");
  out.adaptive = in.getAdaptive();
  out.coupled = in.getCoupled();
  out.lookup = in.getLookup();
  out.draft = file_name_if_any(in.getDraft(), "draft");
  out.draft_hash = hash(in.getDraftHash(), "draft hash");
  check(in.getDraftType() <= schema::LoadType::Q40, "an unknown type of a draft's weights");
  out.draft_type = static_cast<LoadType>(in.getDraftType());
  out.draft_vocabulary = tokens(in.getDraftVocabulary(), "draft vocabulary");
  out.memory_pair = text(in.getMemoryPair(), "pair");
  out.memory_place = text(in.getMemoryPlace(), "place");
  out.kv_slots = in.getKvSlots();
}

void decode(schema::ModelCard::Reader in, const Owner&, ModelCard& out) {
  out.name = file_name(in.getName(), "name");
  out.hash = hash(in.getHash(), "hash");
  out.is_folder = in.getIsFolder();
  auto files = in.getFiles();
  out.files.reserve(count(files.size(), limits::model_files, "files"));
  for (auto file : files) {
    auto& one = out.files.emplace_back();
    one.name = file_name(file.getName(), "file of a model");
    one.bytes = file.getBytes();
    one.head_bytes = file.getHeadBytes();
    check(one.head_bytes <= one.bytes, "more bytes at the beginning of a file than it has");
  }
}

void decode(schema::FilePiece::Reader in, const Owner&, FilePiece& out) {
  auto bytes = in.getBytes();
  count(bytes.size(), limits::file_piece, "bytes");
  out.bytes.assign(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}

void decode(schema::NodeInfo::Reader in, const Owner&, NodeInfo& out) {
  out.protocol = in.getProtocol();
  out.name = text(in.getName(), "name");
  out.version = text(in.getVersion(), "version");
  out.numerics = text(in.getNumerics(), "numerics");
  out.cores = in.getCores();
  out.memory_bytes = in.getMemoryBytes();
  out.free_memory_bytes = in.getFreeMemoryBytes();
  out.stages = in.getStages();
  auto connections = in.getConnections();
  out.connections.reserve(count(connections.size(), limits::connections, "connections"));
  for (auto connection : connections)
    out.connections.push_back(
        {text(connection.getName(), "name of a connection"),
         text(connection.getAddress(), "address of a connection"), connection.getBytesIn(),
         connection.getBytesOut(), connection.getBytesInPerS(), connection.getBytesOutPerS(),
         connection.getControlFrames(), connection.getDataFrames(), connection.getWaitingBytes(),
         connection.getRoundTripUs(), connection.getLinkBytesPerS()});
  out.kv_limit_bytes = in.getKvLimitBytes();
  out.max_stages = in.getMaxStages();
  if (in.hasSpeed())
    out.speed = layer_speed(in.getSpeed());
  out.no_speed = text(in.getNoSpeed(), "reason");
}

void decode(schema::StageStats::Reader in, const Owner&, StageStats& out) {
  out.stage = in.getStage();
  out.segments = in.getSegments();
  out.rows_computed = in.getRowsComputed();
  out.rows_dropped = in.getRowsDropped();
  out.rows_unknown = in.getRowsUnknown();
  out.malformed = in.getMalformed();
  out.busy_ns = in.getBusyNs();
  out.sessions = in.getSessions();
  out.kv_slots_used = in.getKvSlotsUsed();
  out.kv_bytes = in.getKvBytes();
  out.draft_forwards = in.getDraftForwards();
  out.guessed_tokens = in.getGuessedTokens();
  out.plain_tokens = in.getPlainTokens();
  out.switches = in.getSwitches();
  out.send_reach = in.getSendReach();
  check(std::isfinite(out.send_reach), "a reach that is no number");
  out.hold = in.getHold();
  out.guesses = in.getGuesses();
  out.right_guesses = in.getRightGuesses();
  out.draft_scale = in.getDraftScale();
  out.tree_nodes = in.getTreeNodes();
  out.tree_sent = in.getTreeSent();
  out.kv_slots = in.getKvSlots();
  out.rows_kept = in.getRowsKept();
  auto recent = in.getRecent();
  out.recent.reserve(count(recent.size(), limits::recent_segments, "segments"));
  for (auto mark : recent)
    out.recent.push_back(
        {mark.getSegment(), mark.getRows(), mark.getKept(), mark.getAgoUs(), mark.getBusyUs()});
}

}  // namespace flowspec
