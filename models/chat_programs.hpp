#pragma once

#include <filesystem>

#include "models/tokenizer/chat_template.hpp"

namespace flowspec {

/// The chat templates in a model's files, if they have any. `read_chat_program` gives the main one.
/// Throws ModelError.
ChatPrograms read_chat_programs(const std::filesystem::path& path);

}  // namespace flowspec
