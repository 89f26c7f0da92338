#include "models/layers/check_tensors.hpp"

#include "models/config.hpp"
#include "models/formats/model_files.hpp"
#include "models/layers/lm_head.hpp"
#include "models/layers/stage_model.hpp"

namespace flowspec {

void check_tensors(const ModelFiles& files, const ModelConfig& config) {
  files.require("token_embd.weight", {config.hidden_size, config.vocab_size});
  StageModel::stored_bytes(files, config, {0, config.layers});
  LmHead::stored_bytes(files, config);
}

}  // namespace flowspec
