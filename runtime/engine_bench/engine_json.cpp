#include "runtime/engine_bench/engine_json.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::ordered_json;

Json limits(const EngineReport& report) {
  Json all = Json::array();
  for (const ProductRate& rate : report.products) {
    Json json{{"type", name_of(rate.type)}, {"threads", rate.threads}, {"kernel", rate.kernel}};
    if (rate.per_second > 0)
      json["operations_per_second"] = rate.per_second;
    all.push_back(std::move(json));
  }
  return all;
}

Json runs(const EngineReport& report) {
  Json all = Json::array();
  for (const EngineRun& run : report.runs) {
    const LimitShare near = limit_of(run);
    Json json{{"test", run.test},
              {"rows", run.rows},
              {"threads", run.threads},
              {"stages", run.stages},
              {"type", report.type},
              {"tokens_per_second", run.median()},
              {"standard_deviation", run.deviation()},
              {"samples", run.tokens_per_second},
              {"bandwidth_share", run.bandwidth_share},
              {"limit", near.limit},
              {"limit_share", near.share},
              {"kernel", report.kernels}};
    if (run.product_share > 0) {
      json["product"] = run.product;
      json["product_share"] = run.product_share;
    }
    all.push_back(std::move(json));
  }
  return all;
}

Json attention(const EngineReport& report) {
  Json all = Json::array();
  for (const AttentionTime& time : report.attention)
    all.push_back({{"positions", time.positions},
                   {"rows", time.rows},
                   {"threads", time.threads},
                   {"microseconds", time.median()},
                   {"samples", time.microseconds},
                   {"bytes", time.bytes},
                   {"bytes_per_second", time.bytes_per_second()},
                   {"operations_per_second", time.operations_per_second()},
                   {"bandwidth_share", time.memory_share},
                   {"product_share", time.product_share}});
  return all;
}

}  // namespace

Json json_of(const EngineReport& report) {
  Json json;
  json["host"] = report.machine.host;
  json["cpu"] = report.machine.cpu;
  json["cores"] = report.machine.cores;
  json["model"] = report.model;
  json["type"] = report.type;
  json["kv_type"] = name_of(report.kv_type);
  json["numerics"] = report.numerics;
  json["parameters"] = report.parameters;
  json["weight_bytes"] = report.weight_bytes;
  json["peak_memory_bytes"] = report.peak_memory;
  for (const auto& [threads, rate] : report.bandwidth)
    json["read_bandwidth"].push_back({{"threads", threads}, {"bytes_per_second", rate}});
  json["products"] = limits(report);
  if (!report.product_note.empty())
    json["product_note"] = report.product_note;
  json["runs"] = runs(report);
  json["attention"] = attention(report);
  json["sampling"] = Json::array();
  for (const SamplerTime& time : report.sampler)
    json["sampling"].push_back({{"what", time.what},
                                {"vocab_size", time.vocab_size},
                                {"microseconds", time.microseconds}});
  return json;
}

std::string to_json(const EngineReport& report) {
  return json_of(report).dump(2) + "\n";
}

}  // namespace flowspec
