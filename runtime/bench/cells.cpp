#include "runtime/bench/cells.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/console/cli.hpp"
#include "runtime/console/error.hpp"
#include "runtime/run/embedded.hpp"
#include "runtime/run/run_spec.hpp"

namespace flowspec {

namespace {

using Names = std::vector<std::string>;
using HiddenTypes = std::vector<std::optional<HiddenType>>;

/// Every combination of these becomes a cell.
struct Lists {
  Names modes;
  Names profiles;
  std::vector<float> temperatures{0};
  std::vector<double> link_mbps{0};
  Names drafts{""};
  std::vector<LoadType> draft_types{LoadType::as_is};
  Names draft_vocabularies{""};
  Names ablations{""};
  std::vector<bool> coupled{true};
  /// Unless the user names them. None: as the profile says.
  HiddenTypes hidden_types{std::nullopt};
};

/// The link speed of the published measurements, and the speeds of their repetitions.
constexpr double paper_mbps = 1000;
const std::vector<double> slow_mbps{500, 250, 125};
const Names paper_profiles{"paper-7b", "paper-13b"};

auto key(const BenchCase& cell) {
  return std::tie(cell.mode, cell.profile, cell.ablation, cell.temperature, cell.link_mbps,
                  cell.draft, cell.draft_type, cell.draft_vocabulary, cell.coupled,
                  cell.hidden_type);
}

LoadPlan load_of(const BenchOptions& options) {
  LoadPlan plan{options.requests, options.arrival.value_or(0), options.long_prompt.value_or(0)};
  bool is_loaded = plan.arrival > 0 || plan.long_prompt > 0;
  if (plan.at_once.empty() && is_loaded)
    plan.at_once.push_back(plan.arrival > 0 ? LoadPlan::all : 1);
  return plan;
}

bool is_loaded(const BenchOptions& options) {
  return !load_of(options).at_once.empty();
}

class Cells {
 public:
  explicit Cells(const BenchOptions& options) {
    common_.stages = options.stages.value_or(0);
    common_.max_tokens =
        options.max_tokens.value_or(options.suite == "smoke" ? 64 : common_.max_tokens);
    common_.seed = options.seed;
    common_.model = options.model;
    common_.controller = options.controller;
    common_.kv_type = options.kv_type;
    common_.numerics = options.numerics;
    for (const std::string& fault : options.faults)
      common_.faults.push_back(parse_fault(fault));
    std::ranges::sort(common_.faults, {}, &BenchFault::after);
    common_.load = load_of(options);
    for (const std::string& name : options.hidden_types)
      hidden_types_.emplace_back(hidden_type_named(name));
  }

  void add(const Lists& lists) {
    for (const std::string& profile : lists.profiles)
      for (float temperature : lists.temperatures)
        for (double mbps : lists.link_mbps) {
          BenchCase cell = common_;
          cell.profile = profile;
          cell.temperature = temperature;
          cell.link_mbps = mbps;
          for (auto type : hidden_types_.empty() ? lists.hidden_types : hidden_types_) {
            cell.hidden_type = type;
            add_modes(cell, lists);
          }
        }
  }

  std::vector<BenchCase> take() { return std::move(cells_); }

 private:
  void add_modes(BenchCase cell, const Lists& lists) {
    for (const std::string& mode : lists.modes) {
      cell.mode = mode;
      add_variants(cell, lists);
    }
  }

  void add_variants(BenchCase cell, const Lists& lists) {
    static const Names no_draft{"none"};
    static const Names nothing_off{""};
    static const Names all_tokens{""};
    static const std::vector<LoadType> as_it_is{LoadType::as_is};
    for (const std::string& draft : cell.mode == "ar" ? no_draft : lists.drafts)
      for (LoadType type : may_have_weights(draft) ? lists.draft_types : as_it_is)
        for (const std::string& vocabulary :
             may_have_weights(draft) ? lists.draft_vocabularies : all_tokens)
          for (const std::string& ablation :
               cell.mode == "flowspec" ? lists.ablations : nothing_off) {
            cell.draft = draft;
            cell.draft_type = type;
            cell.draft_vocabulary = vocabulary;
            cell.ablation = ablation;
            for (bool coupled : lists.coupled)
              add(cell, coupled);
          }
  }

  /// Without a draft there is nothing to couple.
  void add(BenchCase cell, bool coupled) {
    cell.coupled = coupled || cell.mode == "ar";
    auto same = [&](const BenchCase& other) { return key(other) == key(cell); };
    if (std::ranges::none_of(cells_, same))
      cells_.push_back(std::move(cell));
  }

  BenchCase common_;
  /// Those that the user names.
  HiddenTypes hidden_types_;
  std::vector<BenchCase> cells_;
};

Names all_ablations(const BenchNames& names) {
  Names all{""};
  all.insert(all.end(), names.ablations.begin(), names.ablations.end());
  return all;
}

/// Those of `wanted` that the program has.
Names known(Names wanted, const BenchNames& names) {
  std::erase_if(wanted, [&](const std::string& mode) {
    return std::ranges::find(names.modes, mode) == names.modes.end();
  });
  return wanted;
}

void add_suite(const std::string& suite, const BenchNames& names, Cells& cells) {
  const Names modes(names.modes.begin(), names.modes.end());
  if (suite == "smoke") {
    cells.add({.modes = modes, .profiles = {"paper-7b"}, .temperatures = {0, 1}});
    cells.add({.modes = known({"chunk-pp", "flowspec"}, names), .profiles = {"paper-13b"}});
  } else if (suite == "ablation") {
    cells.add({.modes = known({"ar", "chunk-pp", "flowspec"}, names),
               .profiles = paper_profiles,
               .link_mbps = {paper_mbps},
               .ablations = all_ablations(names)});
    cells.add({.modes = known({"flowspec"}, names),
               .profiles = paper_profiles,
               .link_mbps = {paper_mbps},
               .draft_vocabularies = {embedded_file("frequent.txt").string()}});
  } else {
    cells.add({.modes = modes,
               .profiles = paper_profiles,
               .temperatures = {0, 1},
               .link_mbps = {paper_mbps}});
    cells.add({.modes = modes, .profiles = paper_profiles, .link_mbps = slow_mbps});
    // What the profiles' 16 bits are worth.
    cells.add({.modes = known({"chunk-pp", "flowspec"}, names),
               .profiles = paper_profiles,
               .link_mbps = {paper_mbps},
               .hidden_types = {HiddenType::f32}});
  }
}

/// The names that the user gave, with "all" and "none" replaced.
Names ablations(const BenchOptions& options, const BenchNames& names) {
  Names result;
  for (const std::string& name : options.ablations) {
    if (name == "all") {
      auto all = all_ablations(names);
      result.insert(result.end(), all.begin(), all.end());
    } else if (name == "none") {
      result.emplace_back();
    } else if (std::ranges::find(names.ablations, name) != names.ablations.end()) {
      result.push_back(name);
    } else {
      throw RuntimeError(fmt::format("--ablation {} is unknown; there are none, all{}{}", name,
                                     names.ablations.empty() ? "" : ", ",
                                     fmt::join(names.ablations, ", ")));
    }
  }
  return result;
}

std::vector<LoadType> draft_types(const BenchOptions& options) {
  std::vector<LoadType> types;
  for (const std::string& name : options.draft_types)
    types.push_back(load_type_named(name).value());
  if (std::ranges::any_of(types, [](LoadType type) { return type != LoadType::as_is; }) &&
      !options.drafts.empty() && std::ranges::none_of(options.drafts, may_have_weights))
    throw RuntimeError(
        "--draft-type is for drafts with weights: add an EAGLE head or a model to --draft");
  return types;
}

void add_lists(const BenchOptions& options, const BenchNames& names, Cells& cells) {
  Lists lists{.modes = options.modes, .profiles = options.profiles};
  if (lists.modes.empty() && !options.faults.empty())
    lists.modes = known({"ar", "flowspec"}, names);
  if (lists.modes.empty() && is_loaded(options))
    lists.modes = known({"flowspec"}, names);
  if (lists.modes.empty())
    lists.modes.assign(names.modes.begin(), names.modes.end());
  if (lists.profiles.empty())
    lists.profiles.emplace_back(options.is_virtual ? "paper-7b" : "");
  if (!options.temperatures.empty())
    lists.temperatures = options.temperatures;
  if (!options.link_mbps.empty())
    lists.link_mbps = options.link_mbps;
  if (!options.drafts.empty())
    lists.drafts = options.drafts;
  if (!options.coupled.empty()) {
    lists.coupled.clear();
    for (const std::string& value : options.coupled)
      lists.coupled.push_back(value == "on");
  }
  if (!options.draft_types.empty())
    lists.draft_types = draft_types(options);
  if (!options.draft_vocabularies.empty()) {
    lists.draft_vocabularies = options.draft_vocabularies;
    std::ranges::replace(lists.draft_vocabularies, "all", "");
  }
  if (!options.ablations.empty()) {
    lists.ablations = ablations(options, names);
    if (std::ranges::find(lists.modes, "flowspec") == lists.modes.end())
      throw RuntimeError("--ablation is for the mode flowspec only: add it to --modes");
  }
  cells.add(lists);
}

}  // namespace

const std::vector<std::string>& suite_names() {
  static const std::vector<std::string> names{"paper", "ablation", "smoke"};
  return names;
}

BenchPlan plan_bench(const BenchOptions& options, const BenchNames& names) {
  Cells cells(options);
  if (!options.suite.empty())
    add_suite(options.suite, names, cells);
  else if (options.is_virtual && !names_cells(options) && options.faults.empty() &&
           !is_loaded(options))
    add_suite("paper", names, cells);
  else
    add_lists(options, names, cells);
  BenchPlan plan{.cells = cells.take()};
  if (options.suite == "smoke")
    plan.prompts = 4;
  else if (!options.faults.empty())
    plan.prompts = 10;
  else if (is_loaded(options))
    plan.prompts = 20;
  auto is_base = [](const BenchCase& cell) {
    return cell.mode == "chunk-pp" && !cell.profile.empty();
  };
  if (options.modelled && std::ranges::none_of(plan.cells, is_base))
    throw RuntimeError(
        "--modelled takes the accept length of chunk-pp on emulated devices: add it to --modes, "
        "and name the devices with --profile, or say --virtual");
  for (const auto* file : {&options.trace_file, &options.plot_file})
    if (!file->empty() && plan.cells.size() != 1)
      throw RuntimeError(fmt::format(
          "{} {} shows a single run, and these options make {}: name one value of each list, as "
          "--modes flowspec --temperature 0",
          file == &options.plot_file ? "--plot" : "--trace", *file, plan.cells.size()));
  return plan;
}

std::string mode_of(const BenchCase& cell) {
  auto text =
      cell.ablation.empty() ? cell.mode : fmt::format("{} without {}", cell.mode, cell.ablation);
  return cell.coupled ? text : text + " uncoupled";
}

std::string setting_of(const BenchCase& cell) {
  auto text = fmt::format("{}, T = {}", cell.profile.empty() ? "this machine" : cell.profile,
                          cell.temperature);
  if (cell.link_mbps > 0)
    text += fmt::format(", {} Mb/s", cell.link_mbps);
  if (cell.hidden_type)
    text += fmt::format(", {} hidden states", name_of(*cell.hidden_type));
  return text;
}

std::string title_of(const BenchCase& cell) {
  auto text = fmt::format("{}, {}", mode_of(cell), setting_of(cell));
  if (cell.mode != "ar" && (!cell.draft.empty() || !suffix_of(cell).empty()))
    text +=
        fmt::format(", draft {}{}", cell.draft.empty() ? "default" : cell.draft, suffix_of(cell));
  return text;
}

std::string suffix_of(const BenchCase& cell) {
  Names parts;
  if (cell.draft_type != LoadType::as_is)
    parts.emplace_back(name_of(cell.draft_type));
  if (!cell.draft_vocabulary.empty())
    parts.push_back("tokens of " +
                    std::filesystem::path(cell.draft_vocabulary).filename().string());
  return parts.empty() ? "" : fmt::format(" ({})", fmt::join(parts, ", "));
}

}  // namespace flowspec
