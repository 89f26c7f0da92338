#include "runtime/engine_bench/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/read_file.hpp"
#include "runtime/console/text_table.hpp"
#include "runtime/engine_bench/engine_json.hpp"

namespace flowspec {

namespace {

using nlohmann::json;

/// A value of the file, which knows its place for messages: "runs[2]".
class Place {
 public:
  Place(const json& value, std::string path, const std::string& file)
      : value_(value), path_(std::move(path)), file_(file) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw RuntimeError(fmt::format(
        "--compare: {} is not what 'flowspec bench engine --json' writes: {}", file_, what));
  }

  bool has(const char* key) const { return value_.contains(key); }

  std::string text(const char* key) const {
    const json& found = require(key);
    if (!found.is_string())
      fail(fmt::format("{} is no text", name_of(key)));
    return one_line(found.get_ref<const std::string&>());
  }

  /// Finite and not negative.
  double number(const char* key) const {
    const json& found = require(key);
    const double number = found.is_number() ? found.get<double>() : -1;
    if (!std::isfinite(number) || number < 0)
      fail(fmt::format("{} is no number from 0 on", name_of(key)));
    return number;
  }

  std::uint64_t count(const char* key) const {
    const json& found = require(key);
    if (!found.is_number_unsigned())
      fail(fmt::format("{} is no whole number from 0 on", name_of(key)));
    return found.get<std::uint64_t>();
  }

  /// The objects of a list.
  std::vector<Place> list(const char* key) const {
    const json& found = require(key);
    if (!found.is_array())
      fail(fmt::format("{} is no list", name_of(key)));
    std::vector<Place> places;
    for (std::size_t i = 0; i < found.size(); ++i) {
      Place& place = places.emplace_back(found[i], fmt::format("{}[{}]", name_of(key), i), file_);
      if (!found[i].is_object())
        place.fail(fmt::format("{} is no object", place.path_));
    }
    return places;
  }
  std::vector<Place> list_if_any(const char* key) const {
    return has(key) ? list(key) : std::vector<Place>{};
  }

 private:
  std::string name_of(const char* key) const {
    return path_.empty() ? fmt::format("'{}'", key) : fmt::format("'{}' of {}", key, path_);
  }

  const json& require(const char* key) const {
    auto found = value_.find(key);
    if (found == value_.end())
      fail(fmt::format("there is no {}", name_of(key)));
    return *found;
  }

  const json& value_;
  std::string path_;
  const std::string& file_;
};

std::string counted(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string threads_of(const Place& place) {
  return counted(place.count("threads"), "thread");
}

void add_runs(const Place& root, EngineFigures& all) {
  for (const Place& run : root.list("runs")) {
    std::string row = run.text("test");
    row += ", " + threads_of(run);
    if (const auto stages = run.count("stages"); stages != 1)
      row += ", " + counted(stages, "stage");
    all.figures.push_back({row, "tokens/s", run.number("tokens_per_second")});
    if (const double share = run.number("bandwidth_share"); share > 0)
      all.figures.push_back({row, "% of memory", 100 * share});
    if (run.has("product_share"))
      all.figures.push_back(
          {row, fmt::format("% of {}", run.text("product")), 100 * run.number("product_share")});
  }
}

void add_attention(const Place& root, EngineFigures& all) {
  for (const Place& time : root.list_if_any("attention")) {
    const std::string row = fmt::format("attention {} x{}, {}", time.count("positions"),
                                        time.count("rows"), threads_of(time));
    all.figures.push_back({row, "µs", time.number("microseconds")});
    all.figures.push_back({row, "GB/s", time.number("bytes_per_second") / 1e9});
    all.figures.push_back({row, "% of memory", 100 * time.number("bandwidth_share")});
    all.figures.push_back({row, "% of f32", 100 * time.number("product_share")});
  }
}

void add_rest(const Place& root, EngineFigures& all) {
  for (const Place& time : root.list_if_any("sampling"))
    all.figures.push_back(
        {fmt::format("sample {}, {}", time.text("what"), time.count("vocab_size")), "µs",
         time.number("microseconds")});
  for (const Place& rate : root.list_if_any("read_bandwidth"))
    all.figures.push_back(
        {"reading memory, " + threads_of(rate), "GB/s", rate.number("bytes_per_second") / 1e9});
  for (const Place& rate : root.list_if_any("products"))
    if (rate.has("operations_per_second"))
      all.figures.push_back({fmt::format("{} products, {}", rate.text("type"), threads_of(rate)),
                             "Gop/s", rate.number("operations_per_second") / 1e9});
  if (root.has("peak_memory_bytes"))
    all.figures.push_back(
        {"largest resident size", "MiB", root.number("peak_memory_bytes") / (1 << 20)});
}

void add_conditions(const Place& root, EngineFigures& all) {
  const auto text = [&](const char* key) { return root.has(key) ? root.text(key) : std::string{}; };
  std::set<std::uint64_t> threads;
  std::set<std::string> kernels;
  for (const Place& run : root.list("runs")) {
    threads.insert(run.count("threads"));
    kernels.insert(run.has("kernel") ? run.text("kernel") : "");
  }
  all.conditions = {{"machine", text("host")},
                    {"CPU", text("cpu")},
                    {"cores", root.has("cores") ? std::to_string(root.count("cores")) : ""},
                    {"model", root.text("model")},
                    {"type", root.text("type")},
                    {"type of the KV", text("kv_type")},
                    {"kernels", fmt::format("{}", fmt::join(kernels, ", "))},
                    {"threads", fmt::format("{}", fmt::join(threads, ", "))}};
}

EngineFigures figures_of(const json& root, const std::string& name) {
  const Place place(root, "", name);
  if (!root.is_object())
    place.fail("it is no object");
  EngineFigures all;
  add_runs(place, all);
  add_attention(place, all);
  add_rest(place, all);
  add_conditions(place, all);
  return all;
}

const Figure* find(const EngineFigures& all, const Figure& wanted) {
  const auto found = std::ranges::find_if(all.figures, [&](const Figure& figure) {
    return figure.row == wanted.row && figure.unit == wanted.unit;
  });
  return found == all.figures.end() ? nullptr : &*found;
}

/// Rows of `these` that `others` do not have, or columns of rows that both have.
std::vector<std::string> missing(const EngineFigures& these, const EngineFigures& others) {
  std::vector<std::string> names;
  for (const Figure& figure : these.figures) {
    const bool has_row =
        std::ranges::find(others.figures, figure.row, &Figure::row) != others.figures.end();
    const std::string name = has_row ? fmt::format("{} ({})", figure.row, figure.unit) : figure.row;
    if (find(others, figure) == nullptr && std::ranges::find(names, name) == names.end())
      names.push_back(name);
  }
  return names;
}

std::string number_text(double number) {
  return fmt::format("{:.{}f}", number, number < 10 ? 3 : number < 1000 ? 2 : 0);
}

std::string missing_text(std::string_view who, const std::vector<std::string>& names) {
  return names.empty()
             ? ""
             : wrap(fmt::format("\n{}: {}.\n", who, fmt::join(names, "; ")), usual_columns);
}

}  // namespace

double Comparison::Line::ratio() const {
  const double ratio = now / then;
  return std::isfinite(ratio) ? ratio : 0;
}

EngineFigures parse_figures(std::string_view text, const std::string& name) {
  json root;
  try {
    root = json::parse(text);
  } catch (const json::exception& error) {
    // Behind the library's own name for the error: "parse error at line 3, column 9: ...".
    const std::string_view what = error.what();
    const std::size_t end = what.find("] ");
    throw RuntimeError(fmt::format("--compare: {} is no JSON: {}", name,
                                   one_line(what.substr(end == what.npos ? 0 : end + 2))));
  }
  return figures_of(root, name);
}

EngineFigures read_figures(const std::filesystem::path& file) {
  return parse_figures(read_file(file, "file of --compare", most_text), one_line(file.string()));
}

EngineFigures figures_of(const EngineReport& report) {
  return parse_figures(to_json(report), "this run");
}

Comparison compare(const EngineFigures& then, const EngineFigures& now, std::string file) {
  Comparison result;
  result.file = std::move(file);
  for (const Figure& figure : now.figures)
    if (const Figure* before = find(then, figure))
      result.lines.push_back({figure.row, figure.unit, before->value, figure.value});
  result.only_then = missing(then, now);
  result.only_now = missing(now, then);
  for (std::size_t i = 0; i < now.conditions.size() && i < then.conditions.size(); ++i)
    if (then.conditions[i] != now.conditions[i])
      result.differences.push_back(
          {now.conditions[i].first, then.conditions[i].second, now.conditions[i].second});
  return result;
}

std::string comparison_text(const Comparison& comparison) {
  std::string text =
      wrap(fmt::format("\nBeside {} (ratio: now / then):\n", comparison.file), usual_columns);
  for (const Comparison::Difference& difference : comparison.differences)
    text += wrap(fmt::format("  differs: {}: {} then, {} now\n", difference.what,
                             difference.then.empty() ? "not said" : difference.then,
                             difference.now.empty() ? "not said" : difference.now),
                 usual_columns);
  TextTable table({"", "unit", "then", "now", "ratio"});
  for (const Comparison::Line& line : comparison.lines)
    table.add({line.row, line.unit, number_text(line.then), number_text(line.now),
               line.ratio() > 0 ? fmt::format("{:.3f}", line.ratio()) : ""});
  text += comparison.lines.empty() ? "\nThe two have no row in common.\n" : "\n" + table.text();
  text += missing_text("Only then", comparison.only_then);
  text += missing_text("Only now", comparison.only_now);
  return text;
}

std::string to_json(const EngineReport& report, const Comparison& comparison) {
  using Json = nlohmann::ordered_json;
  Json root = json_of(report);
  Json& json = root["comparison"];
  json["file"] = one_line(comparison.file);
  json["differences"] = Json::array();
  for (const Comparison::Difference& difference : comparison.differences)
    json["differences"].push_back(
        {{"what", difference.what}, {"then", difference.then}, {"now", difference.now}});
  json["figures"] = Json::array();
  for (const Comparison::Line& line : comparison.lines)
    json["figures"].push_back({{"row", line.row},
                               {"unit", line.unit},
                               {"then", line.then},
                               {"now", line.now},
                               {"ratio", line.ratio()}});
  json["only_then"] = comparison.only_then;
  json["only_now"] = comparison.only_now;
  return root.dump(2) + "\n";
}

}  // namespace flowspec
