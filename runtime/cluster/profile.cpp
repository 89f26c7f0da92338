#include "runtime/cluster/profile.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "messages/limits.hpp"
#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/console/read_file.hpp"

namespace flowspec {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;

/// Ids, token and position of one row, in bytes.
constexpr std::uint32_t id_row_bytes = 24;

std::uint64_t nanoseconds(double seconds) {
  auto most = static_cast<double>(limits::emulated_ns);
  return static_cast<std::uint64_t>(std::llround(std::clamp(seconds * 1e9, 0.0, most)));
}

std::uint64_t scaled(std::uint64_t ns, double by) {
  return static_cast<std::uint64_t>(std::llround(static_cast<double>(ns) * by));
}

double seconds_of(const EmulatedForward& forward, std::size_t rows) {
  auto ns = std::max(forward.least_ns, forward.row_ns * rows) + forward.fixed_ns;
  return rows == 0 ? 0 : static_cast<double>(ns) * 1e-9;
}

/// An object of the file; checks that it has all required keys, and no unknown ones.
class Section {
 public:
  Section(const Json& json, std::string what, const std::vector<std::string>& required,
          const std::vector<std::string>& optional = {})
      : json_(json), what_(std::move(what)) {
    if (!json.is_object())
      throw RuntimeError(fmt::format("{} has to be an object", what_));
    auto known = required;
    known.insert(known.end(), optional.begin(), optional.end());
    for (const auto& [key, value] : json.items())
      if (std::ranges::find(known, key) == known.end())
        throw RuntimeError(fmt::format("{} has an unknown key \"{}\"; there are {}", what_, key,
                                       Json(known).dump()));
    for (const std::string& key : required)
      if (!json.contains(key))
        throw RuntimeError(fmt::format("{} has no \"{}\"", what_, key));
  }

  const Json& operator[](const char* key) const { return json_.at(key); }
  bool has(const char* key) const { return json_.contains(key); }

  double number(const char* key, double least, double most) const {
    const Json& value = json_.at(key);
    // Not "value < least": NaN would pass that test.
    if (!value.is_number() || !(value.get<double>() >= least && value.get<double>() <= most))
      throw RuntimeError(fmt::format("{}: \"{}\" is {}, not a number from {} to {}", what_, key,
                                     value.dump(), least, most));
    return value.get<double>();
  }

  std::uint32_t count(const char* key, std::uint32_t most) const {
    const Json& value = json_.at(key);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0 ||
        value.get<std::uint64_t>() > most)
      throw RuntimeError(fmt::format("{}: \"{}\" is {}, not a whole number from 1 to {}", what_,
                                     key, value.dump(), most));
    return value.get<std::uint32_t>();
  }

  std::string word(const char* key, const std::vector<std::string>& words) const {
    const Json& value = json_.at(key);
    if (!value.is_string() || std::ranges::find(words, value.get<std::string>()) == words.end())
      throw RuntimeError(fmt::format("{}: \"{}\" is {}, not one of {}", what_, key, value.dump(),
                                     Json(words).dump()));
    return value.get<std::string>();
  }

  std::optional<double> optional_number(const char* key, double least, double most) const {
    return has(key) ? std::optional(number(key, least, most)) : std::nullopt;
  }

 private:
  const Json& json_;
  std::string what_;
};

/// Most milliseconds of one forward: nobody would wait as long as a minute.
constexpr double most_ms = 60'000;
constexpr double least_ms = 1e-6;

std::vector<std::uint32_t> read_split(const Json& json, const DeviceProfile& profile,
                                      const std::string& name) {
  std::vector<std::uint32_t> split;
  std::uint64_t sum = 0;
  for (const Json& layers : json.is_array() ? json : Json::array()) {
    bool fits = layers.is_number_unsigned() && layers.get<std::uint64_t>() > 0 &&
                layers.get<std::uint64_t>() <= profile.model.layers;
    split.push_back(fits ? layers.get<std::uint32_t>() : 0);
    sum += split.back();
  }
  if (split.size() != profile.stages || sum != profile.model.layers ||
      std::ranges::find(split, 0U) != split.end())
    throw RuntimeError(
        fmt::format("{}: \"split\" is {}, not the layers of {} stages, which are {} together", name,
                    json.dump(), profile.stages, profile.model.layers));
  return split;
}

EmulatedShape read_shape(const Json& json, const std::string& what) {
  Section section(json, what,
                  {"hidden", "layers", "ffn", "heads", "kv_heads", "vocab", "bytes_per_weight"});
  EmulatedShape shape;
  shape.hidden = section.count("hidden", limits::columns);
  shape.layers = section.count("layers", limits::layers);
  shape.ffn = section.count("ffn", 1U << 20U);
  shape.heads = section.count("heads", 4096);
  shape.kv_heads = section.count("kv_heads", shape.heads);
  shape.vocab = section.count("vocab", 1U << 24U);
  shape.bytes_per_weight = section.number("bytes_per_weight", 0.1, 8);
  if (shape.hidden % shape.heads != 0 || shape.heads % shape.kv_heads != 0)
    throw RuntimeError(
        fmt::format("{}: \"heads\" ({}) has to divide \"hidden\" ({}), and \"kv_heads\" ({}) to "
                    "divide \"heads\"",
                    what, shape.heads, shape.hidden, shape.kv_heads));
  return shape;
}

std::vector<fs::path> profile_folders() {
  std::vector<fs::path> folders{FLOWSPEC_CONFIG_DIR};
  std::error_code error;
  auto program = fs::read_symlink("/proc/self/exe", error).parent_path();
  folders.push_back(program.parent_path() / "share/flowspec/config");
  return folders;
}

/// The other files in these folders are clusters.
std::string known_profiles() {
  std::vector<std::string> names;
  for (const fs::path& folder : profile_folders()) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error))
      if (auto name = entry.path().filename().string();
          entry.path().extension() == ".json" && !name.starts_with("cluster-"))
        names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

fs::path find_profile(const std::string& name_or_file) {
  std::error_code error;
  // The file need not be a regular one: a pipe will do.
  if (fs::exists(name_or_file, error) &&
      (name_or_file.find('/') != std::string::npos || !fs::is_directory(name_or_file, error)))
    return name_or_file;
  if (name_or_file.find('/') == std::string::npos)
    for (const fs::path& folder : profile_folders())
      if (auto file = folder / (name_or_file + ".json"); fs::is_regular_file(file, error))
        return file;
  throw RuntimeError(
      fmt::format("there is no device profile \"{}\": it is no file, and the profiles with a name "
                  "are {}",
                  name_or_file, known_profiles()));
}

}  // namespace

double EmulatedShape::layer_weights() const {
  double h = hidden;
  double kv = h / heads * kv_heads;
  return 2 * h * h + 2 * h * kv + 3 * h * ffn;
}

double EmulatedShape::head_weights() const {
  return static_cast<double>(hidden) * vocab;
}

EmulatedForward DeviceProfile::roofline(double weights) const {
  auto bytes_per_second = memory_gb_per_s * 1e9 * memory_efficiency;
  // A multiplication and an addition for every weight.
  return {nanoseconds(weights * model.bytes_per_weight / bytes_per_second),
          nanoseconds(2 * weights / (tflops * 1e12)), nanoseconds(overhead_ms * 1e-3)};
}

EmulatedForward DeviceProfile::stage(double layers) const {
  auto forward = roofline(layers * model.layer_weights());
  auto share = layers * stages / model.layers;
  if (stage_ms)
    forward.least_ns = nanoseconds(*stage_ms * share * 1e-3);
  if (stage_ms_per_row)
    forward.row_ns = nanoseconds(*stage_ms_per_row * share * 1e-3);
  return forward;
}

EmulatedForward DeviceProfile::draft(LoadType type, double vocabulary) const {
  // The layer's input is a token's embedding and the target's features: 2 x hidden to hidden.
  double h = model.hidden;
  const double layers = draft_layers * model.layer_weights() + 2 * h * h;
  const double weights = layers + model.head_weights();
  // The share of the weights that is left of them.
  const double part = (layers + vocabulary * model.head_weights()) / weights;
  auto forward = roofline(weights);
  forward.row_ns = scaled(forward.row_ns, part);
  // Nothing gets more bytes than it has.
  const double ratio =
      part * std::min(1.0, bytes_per_weight(type).value_or(model.bytes_per_weight) /
                               model.bytes_per_weight);
  if (draft_ms) {
    const std::uint64_t whole = nanoseconds(*draft_ms * 1e-3);
    if (ratio == 1)
      return {whole, forward.row_ns, 0};
    forward.least_ns = std::min(forward.least_ns, whole);
    forward.fixed_ns = whole - forward.least_ns;
  }
  forward.least_ns = scaled(forward.least_ns, ratio);
  return forward;
}

EmulatedForward DeviceProfile::head() const {
  auto forward = roofline(model.head_weights());
  if (head_ms)
    forward = {nanoseconds(*head_ms * 1e-3), forward.row_ns, 0};
  return forward;
}

double DeviceProfile::stage_seconds(double layers, std::size_t rows) const {
  return seconds_of(stage(layers), rows);
}

double DeviceProfile::draft_seconds(std::size_t rows, LoadType type, double vocabulary) const {
  return seconds_of(draft(type, vocabulary), rows);
}

double DeviceProfile::head_seconds(std::size_t rows) const {
  return seconds_of(head(), rows);
}

double DeviceProfile::stage_layers(std::size_t stage, std::size_t of, double share) const {
  return split.size() == of ? split[stage] : share * model.layers;
}

EmulatedLink DeviceProfile::link(double mbps) const {
  auto rate = (mbps > 0 ? mbps : link_mbps) * 1e6;
  return {static_cast<std::uint64_t>(std::llround(rate)), nanoseconds(link_latency_ms * 1e-3),
          row_bytes()};
}

EmulatedLink DeviceProfile::first_link(double mbps) const {
  auto first = link(mbps);
  first.row_bytes = id_row_bytes;
  return first;
}

double DeviceProfile::link_seconds(std::size_t bytes) const {
  return static_cast<double>(bytes) * 8 / (link_mbps * 1e6) + link_latency_ms * 1e-3;
}

DeviceProfile parse_profile(const std::string& text, const std::string& name) {
  Json json;
  try {
    json = Json::parse(text, nullptr, true, true);
  } catch (const Json::parse_error& e) {
    throw RuntimeError(fmt::format("{} is no JSON: {}", name, e.what()));
  }
  Section file(json, name, {"device", "model", "stages", "draft", "link"},
               {"hidden_type", "split", "ready_lead_ms", "measured"});
  DeviceProfile profile;
  profile.name = name;

  Section device(file["device"], name + ": \"device\"",
                 {"memory_gb_per_s", "memory_efficiency", "tflops", "overhead_ms"});
  profile.memory_gb_per_s = device.number("memory_gb_per_s", 1e-3, 1e6);
  profile.memory_efficiency = device.number("memory_efficiency", 1e-3, 1);
  profile.tflops = device.number("tflops", 1e-6, 1e6);
  profile.overhead_ms = device.number("overhead_ms", 0, most_ms);

  profile.model = read_shape(file["model"], name + ": \"model\"");
  profile.stages = file.count("stages", profile.model.layers);
  if (file.has("split"))
    profile.split = read_split(file["split"], profile, name);
  Section draft(file["draft"], name + ": \"draft\"", {"layers"}, {"on_stage"});
  profile.draft_layers = draft.count("layers", limits::layers);
  if (draft.has("on_stage"))
    profile.draft_place = draft.word("on_stage", {"first", "last"}) == "first"
                              ? DraftPlace::first_stage
                              : DraftPlace::last_stage;

  if (file.has("hidden_type")) {
    auto type = file.word("hidden_type", {"f32", "f16", "bf16"});
    for (auto known : {HiddenType::f32, HiddenType::f16, HiddenType::bf16})
      if (type == name_of(known))
        profile.hidden_type = known;
  }

  Section link(file["link"], name + ": \"link\"", {"mbps", "latency_ms"});
  profile.link_mbps = link.number("mbps", 1e-2, 1e7);
  profile.link_latency_ms = link.number("latency_ms", 0, most_ms);
  profile.ready_lead_ms = file.optional_number("ready_lead_ms", 0, most_ms).value_or(0);

  if (file.has("measured")) {
    Section measured(file["measured"], name + ": \"measured\"", {},
                     {"stage_ms", "stage_ms_per_row", "draft_ms", "head_ms"});
    profile.stage_ms = measured.optional_number("stage_ms", least_ms, most_ms);
    profile.stage_ms_per_row = measured.optional_number("stage_ms_per_row", 0, most_ms);
    profile.draft_ms = measured.optional_number("draft_ms", 0, most_ms);
    profile.head_ms = measured.optional_number("head_ms", 0, most_ms);
  }
  return profile;
}

DeviceProfile read_profile(const std::string& name_or_file) {
  auto file = find_profile(name_or_file);
  auto profile =
      parse_profile(read_file(file, "device profile", most_settings), one_line(file.string()));
  profile.name = name_or_file;
  return profile;
}

}  // namespace flowspec
