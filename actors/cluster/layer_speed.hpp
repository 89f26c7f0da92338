#pragma once
/// How fast this machine computes the layers of a model: measured once, then known.

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "actors/support/memory_ledger.hpp"
#include "messages/setup_types.hpp"
#include "models/open_model.hpp"

namespace flowspec {

/// Loads some layers of the model and computes segments of 1, 16 and 64 rows behind a text of 64
/// tokens; the figures are medians. Takes about a second, more where the files have to be read from
/// a slow disk. Throws ModelError if there is no memory for a layer.
LayerSpeed measure_layers(const OpenModel& model, unsigned threads, const MemoryLedger& memory);

/// What the speed depends on, in one line: processor, cores, numerics, threads, and shape and types
/// of the layers. Models that differ in their weights' values only have the same.
/// @param cpuinfo  as /proc/cpuinfo.
std::string speed_key(const OpenModel& model, unsigned threads,
                      const std::filesystem::path& cpuinfo = "/proc/cpuinfo");

/// The speeds measured so far, by this process and, with a file, by others. All functions are
/// thread-safe.
class SpeedBook {
 public:
  /// @param file  where they are stored; empty: nowhere. If it cannot be read or written, or is
  ///              damaged, that only costs time.
  explicit SpeedBook(std::filesystem::path file = user_file()) : file_(std::move(file)) {}

  /// Measures only what is not known. One measurement at a time: two would slow each other down.
  /// Throws as `measure_layers` does.
  LayerSpeed get(const OpenModel& model, unsigned threads, const MemoryLedger& memory);

  std::optional<LayerSpeed> find(const std::string& key);
  void store(const std::string& key, const LayerSpeed& speed);

 private:
  static std::filesystem::path user_file();
  void load();

  const std::filesystem::path file_;
  std::mutex measuring_;
  std::mutex mutex_;
  std::map<std::string, LayerSpeed> known_;
};

}  // namespace flowspec
