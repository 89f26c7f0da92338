#include "runtime/engine_bench/engine_report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ostream>

#include <fmt/format.h>
#include <unistd.h>

#include "actors/support/machine.hpp"
#include "actors/support/processor.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/text_table.hpp"
#include "runtime/engine_bench/median.hpp"

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

std::string percent(double share) {
  return share > 0 ? fmt::format("{:.0f} %", 100 * share) : "";
}

std::string threads_text(unsigned threads) {
  return fmt::format("{} thread{}", threads, threads == 1 ? "" : "s");
}

using Cells = std::array<std::string, 6>;

Cells cells(const EngineRun& run) {
  const LimitShare near = limit_of(run);
  return {run.test,
          std::to_string(run.threads),
          std::to_string(run.stages),
          fmt::format("{:.2f} ± {:.2f}", run.median(), run.deviation()),
          percent(near.share),
          near.limit};
}

/// The lines that apply to all runs.
std::string model_text(const EngineReport& report) {
  return fmt::format("{}, {}: {}, {} parameters, kernels {}\n\n", report.model, report.type,
                     size_text(report.weight_bytes), count_text(report.parameters), report.kernels);
}

/// "The chip's limits" and what they are, and the process's memory.
std::string limits_text(const EngineReport& report) {
  std::string text = "\nMedians ± standard deviation; limits: memory can be read at";
  for (const auto& [threads, rate] : report.bandwidth)
    text += fmt::format("{} {:.1f} GB/s by {}", &threads == &report.bandwidth[0].first ? "" : ",",
                        rate / 1e9, threads_text(threads));
  for (const ProductRate& rate : report.products)
    if (rate.per_second > 0)
      text += fmt::format("; {} products {:.1f} Gop/s by {} (oneDNN, {})", name_of(rate.type),
                          rate.per_second / 1e9, threads_text(rate.threads), rate.kernel);
  text += ".";
  if (!report.product_note.empty())
    text += " " + report.product_note;
  return text + fmt::format(" Largest resident size: {}.\n", size_text(report.peak_memory));
}

/// A line per text, rows and threads.
std::string attention_text(const EngineReport& report) {
  TextTable table({"attention of one\nlayer, positions", "rows", "threads", "ms", "GB/s",
                   "of memory", "of f32"});
  for (const AttentionTime& time : report.attention)
    table.add({std::to_string(time.positions), std::to_string(time.rows),
               std::to_string(time.threads), fmt::format("{:.3f}", time.median() / 1000),
               fmt::format("{:.2f}", time.bytes_per_second() / 1e9), percent(time.memory_share),
               percent(time.product_share)});
  return report.attention.empty() ? "" : fmt::format("\n{}", table.text());
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

EngineMachine EngineMachine::own() {
  char host[256] = {};
  if (::gethostname(host, sizeof host - 1) != 0)
    host[0] = '\0';
  return {one_line(host), one_line(processor_name()), usable_cores()};
}

LimitShare limit_of(const EngineRun& run) {
  const bool is_memory = run.rows == 1 || run.product_share <= 0 ||
                         (run.bandwidth_share <= 1 && run.bandwidth_share > run.product_share);
  if (!is_memory)
    return {run.product, run.product_share};
  return run.bandwidth_share > 0 ? LimitShare{"memory", run.bandwidth_share} : LimitShare{};
}

double EngineRun::median() const {
  return median_of(tokens_per_second);
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
  std::vector<Cells> lines{{"test", "threads", "stages", "tokens/s", "of limit", "limit"}};
  for (const EngineRun& run : report.runs)
    lines.push_back(cells(run));
  std::array<std::size_t, std::tuple_size_v<Cells>> widths{};
  for (const Cells& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i)
      widths.at(i) = std::max(widths.at(i), width_of(line.at(i)));
  const auto is_text = [](std::size_t column) { return column == 0 || column == 5; };
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
  out << wrap(limits_text(report), usual_columns);
  out << attention_text(report);
  out << sampler_text(report.sampler);
}

}  // namespace flowspec
