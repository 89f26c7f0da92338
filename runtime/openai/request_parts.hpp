#pragma once
/// Internal to runtime/openai: what several requests have in common.

#include <string>
#include <vector>

#include "runtime/openai/fields.hpp"
#include "runtime/openai/requests.hpp"

namespace flowspec::openai {

/// The served name that the request means. Throws ApiError, 404, for any other.
std::string read_model(const Fields& fields, const RequestLimits& limits);

/// All but what chat and text completions name differently: how many tokens, and log-probabilities.
AnswerRequest read_answer_request(const Fields& fields, const RequestLimits& limits);

/// The messages and what else a chat template gets.
/// @param tools_allowed  if false, tools are refused.
Conversation read_conversation(const Fields& fields, bool tools_allowed);

/// A list of token ids; `path` names it.
std::vector<Token> read_tokens(const Json& list, const std::string& path,
                               const RequestLimits& limits);

}  // namespace flowspec::openai
