#pragma once

#include <string>

#include "models/formats/hash_cache.hpp"
#include "models/formats/model_files.hpp"

namespace flowspec {

/// `hash_model` of the files that `files` has open; several parts are read at a time, and only
/// those that the cache does not know. Throws ModelError also where another file has taken the
/// place of one of them, or one was changed.
/// @param progress  of all parts together; called by several threads, one at a time.
std::string hash_model(const ModelFiles& files, HashCache& cache,
                       const HashProgress& progress = {});

}  // namespace flowspec
