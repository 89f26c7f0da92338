#include "actors/cluster/model_choice.hpp"

#include <algorithm>
#include <cctype>
#include <exception>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "models/base/error.hpp"

namespace flowspec {

bool is_same_hash(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::vector<OpenModel> find_models(const ModelLibrary& library, const std::string& name,
                                   const std::function<void(const OpenModel&)>& check) {
  std::vector<OpenModel> candidates;
  std::exception_ptr first;
  for (const auto& path : library.find(name)) {
    try {
      auto model = open_model(path);
      check(model);
      candidates.push_back(std::move(model));
    } catch (const ModelError&) {
      if (!first)
        first = std::current_exception();
    }
  }
  if (candidates.empty())
    std::rethrow_exception(first);
  return candidates;
}

const OpenModel& choose_model(const ModelLibrary& library, const std::vector<OpenModel>& candidates,
                              const std::string& hash, const StopIfUnwanted& stop_if_unwanted) {
  std::vector<std::string> others;
  for (const OpenModel& model : candidates) {
    try {
      auto own =
          library.hash(*model.files, [&](std::uint64_t, std::uint64_t) { stop_if_unwanted(); });
      if (is_same_hash(own, hash))
        return model;
      others.push_back(
          fmt::format("{} is not the model that the coordinator has: its hash is {}, not {}",
                      model.files->path().string(), own, hash));
    } catch (const ModelError& e) {
      stop_if_unwanted();
      others.emplace_back(e.what());
    }
  }
  throw ModelError(fmt::format("{}", fmt::join(others, "; ")));
}

}  // namespace flowspec
