#include "runtime/engine_bench/engine_report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/console/output.hpp"
#include "runtime/console/text_table.hpp"

namespace flowspec {

namespace {

constexpr double mib = 1 << 20;
constexpr double gib = 1 << 30;

std::string size_text(std::uint64_t bytes) {
  const auto size = static_cast<double>(bytes);
  return size < gib ? fmt::format("{:.2f} MiB", size / mib) : fmt::format("{:.2f} GiB", size / gib);
}

std::string count_text(std::uint64_t count) {
  const auto number = static_cast<double>(count);
  return number < 1e9 ? fmt::format("{:.2f} M", number / 1e6)
                      : fmt::format("{:.2f} B", number / 1e9);
}

using Cells = std::array<std::string, 5>;

Cells cells(const EngineRun& run) {
  return {run.test, std::to_string(run.threads), std::to_string(run.stages),
          fmt::format("{:.2f} ± {:.2f}", run.median(), run.deviation()),
          run.bandwidth_share > 0 ? fmt::format("{:.0f} %", 100 * run.bandwidth_share) : ""};
}

/// The lines that apply to all runs.
std::string model_text(const EngineReport& report) {
  return fmt::format("{}, {}: {}, {} parameters, kernels {}\n\n", report.model, report.type,
                     size_text(report.weight_bytes), count_text(report.parameters), report.kernels);
}

std::string memory_text(const EngineReport& report) {
  std::string text = "\nMedians ± standard deviation. Memory can be read at";
  for (const auto& [threads, rate] : report.bandwidth)
    text += fmt::format("{} {:.1f} GB/s by {} thread{}",
                        &threads == &report.bandwidth[0].first ? "" : ",", rate / 1e9, threads,
                        threads == 1 ? "" : "s");
  return text + fmt::format(". Largest resident size: {}.\n", size_text(report.peak_memory));
}

/// A line per way of choosing, a column per size of vocabulary.
std::string sampler_text(const std::vector<SamplerTime>& times) {
  std::vector<std::string> headings{"choosing from a row\n(microseconds)"};
  std::vector<std::vector<std::string>> lines;
  for (const SamplerTime& time : times) {
    auto heading = fmt::format("{}\nlogits", time.vocab_size);
    if (headings.back() != heading)
      headings.push_back(heading);
    auto line =
        std::ranges::find(lines, time.what, [](const auto& cells) { return cells.front(); });
    if (line == lines.end())
      line = lines.insert(line, {time.what});
    line->push_back(fmt::format("{:.1f}", time.microseconds));
  }
  TextTable table(headings);
  for (auto& line : lines)
    table.add(std::move(line));
  return lines.empty() ? "" : fmt::format("\n{}", table.text());
}

}  // namespace

double EngineRun::median() const {
  std::vector<double> sorted = tokens_per_second;
  std::ranges::sort(sorted);
  const std::size_t half = sorted.size() / 2;
  if (sorted.empty())
    return 0;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

double EngineRun::deviation() const {
  const auto count = static_cast<double>(tokens_per_second.size());
  if (count < 2)
    return 0;
  double sum = 0;
  double squares = 0;
  for (double value : tokens_per_second) {
    sum += value;
    squares += value * value;
  }
  return std::sqrt(std::max(0.0, (squares - sum * sum / count) / (count - 1)));
}

void print_table(const EngineReport& report, std::ostream& out) {
  std::vector<Cells> lines{{"test", "threads", "stages", "tokens/s", "of bandwidth"}};
  for (const EngineRun& run : report.runs)
    lines.push_back(cells(run));
  std::array<std::size_t, std::tuple_size_v<Cells>> widths{};
  for (const Cells& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i)
      widths.at(i) = std::max(widths.at(i), width_of(line.at(i)));
  const auto is_text = [](std::size_t column) { return column == 0; };
  out << wrap(model_text(report), usual_columns);
  for (std::size_t l = 0; l < lines.size(); ++l) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string fill(widths.at(i) - width_of(lines[l].at(i)), ' ');
      out << "| " << (is_text(i) ? lines[l].at(i) + fill : fill + lines[l].at(i)) << ' ';
    }
    out << "|\n";
    for (std::size_t i = 0; l == 0 && i < widths.size(); ++i)
      out << "| " << std::string(widths.at(i) - 1, '-') << (is_text(i) ? "- " : ": ");
    out << (l == 0 ? "|\n" : "");
  }
  out << wrap(memory_text(report), usual_columns);
  out << sampler_text(report.sampler);
}

std::string to_json(const EngineReport& report) {
  nlohmann::ordered_json json;
  json["model"] = report.model;
  json["type"] = report.type;
  json["kv_type"] = name_of(report.kv_type);
  json["parameters"] = report.parameters;
  json["weight_bytes"] = report.weight_bytes;
  json["peak_memory_bytes"] = report.peak_memory;
  for (const auto& [threads, rate] : report.bandwidth)
    json["read_bandwidth"].push_back({{"threads", threads}, {"bytes_per_second", rate}});
  json["runs"] = nlohmann::ordered_json::array();
  for (const EngineRun& run : report.runs)
    json["runs"].push_back({{"test", run.test},
                            {"rows", run.rows},
                            {"threads", run.threads},
                            {"stages", run.stages},
                            {"type", report.type},
                            {"tokens_per_second", run.median()},
                            {"standard_deviation", run.deviation()},
                            {"samples", run.tokens_per_second},
                            {"bandwidth_share", run.bandwidth_share},
                            {"kernel", report.kernels}});
  json["sampling"] = nlohmann::ordered_json::array();
  for (const SamplerTime& time : report.sampler)
    json["sampling"].push_back({{"what", time.what},
                                {"vocab_size", time.vocab_size},
                                {"microseconds", time.microseconds}});
  return json.dump(2) + "\n";
}

}  // namespace flowspec
