#pragma once
/// Small sound files that the fuzzers begin with.

#include <map>
#include <string>
#include <vector>

namespace flowspec::fuzz {

/// Name to content.
using Seeds = std::map<std::string, std::string>;

Seeds gguf_seeds();
Seeds safetensors_seeds();
Seeds tokenizer_seeds();
Seeds config_seeds();
Seeds message_seeds();
Seeds wire_seeds();
Seeds http_seeds();
Seeds openai_seeds();

}  // namespace flowspec::fuzz
