#pragma once
/// Which of a node's files a run means.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/cluster/model_library.hpp"
#include "models/open_model.hpp"

namespace flowspec {

/// Called now and then while files are read: an exception ends that.
using StopIfUnwanted = std::function<void()>;

bool is_same_hash(std::string_view a, std::string_view b);

/// The models with this name that `check` does not throw for. If there are none, throws the error of the
/// first, a ModelError.
std::vector<OpenModel> find_models(const ModelLibrary& library, const std::string& name,
                                   const std::function<void(const OpenModel&)>& check);

/// The one with the coordinator's hash. Throws ModelError, which names the others' hashes.
const OpenModel& choose_model(const ModelLibrary& library, const std::vector<OpenModel>& candidates,
                              const std::string& hash, const StopIfUnwanted& stop_if_unwanted);

}  // namespace flowspec
