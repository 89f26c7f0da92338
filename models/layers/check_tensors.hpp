#pragma once

namespace flowspec {

class ModelFiles;
struct ModelConfig;

/// Looks for all tensors that the stages and the LM head of a model will read, without reading
/// their values: a file that cannot be run is found before anybody is asked to load it. Throws
/// ModelError, as `StageModel` and `LmHead` would.
void check_tensors(const ModelFiles& files, const ModelConfig& config);

}  // namespace flowspec
