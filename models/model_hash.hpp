#pragma once

#include <string>

#include "models/formats/hash_cache.hpp"
#include "models/formats/model_files.hpp"

namespace flowspec {

/// The `hash_model` of the open `files`. Reads only the parts that the cache does not know, several
/// at a time. Also throws ModelError if a part was changed or replaced since it was opened.
/// @param progress  bytes of all parts together; called from several threads, never at the same
///                  time.
std::string hash_model(const ModelFiles& files, HashCache& cache,
                       const HashProgress& progress = {});

}  // namespace flowspec
