#pragma once
/// Options that both programs have.

#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "models/base/types.hpp"
#include "models/formats/load_type.hpp"
#include "models/numerics.hpp"

namespace flowspec {

/// --kv-type, for the commands that compute layers; the default is the value of `type`.
void add_kv_type_option(CLI::App& app, KvType& type);
/// --hidden-type, for the commands that compute with one.
void add_hidden_type_option(CLI::App& app, HiddenType& type);
/// What it does, for help, and its values.
inline constexpr const char* hidden_type_help =
    "What hidden states are rounded to after every layer: f16 and bf16 halve what goes from stage "
    "to "
    "stage, f32 rounds nothing";
const std::vector<std::string>& hidden_type_names();
/// One of these values.
HiddenType hidden_type_named(const std::string& name);

/// --numerics, for the commands that compute with a model.
void add_numerics_option(CLI::App& app, NumericsChoice& choice);

/// --draft-type, for the commands with one draft.
void add_draft_type_option(CLI::App& app, LoadType& type);
/// What it does, for help, and its values.
inline constexpr const char* draft_type_help =
    "What the draft's weights become when it is loaded: q8_0 and q4_0 make it faster and smaller, "
    "and its guesses a little worse; no text changes (default as-is)";
std::vector<std::string> draft_type_names();

/// What --draft-vocabulary does, for help.
inline constexpr const char* draft_vocabulary_help =
    "A list of tokens, as tokenize --most-frequent writes it: an EAGLE head guesses only these, "
    "and "
    "computes less; no text changes (default: all tokens)";

/// For the end of a help text.
inline constexpr const char* exit_codes_text =
    "Exit codes: 0 done, 1 the run failed, 2 wrong options or files, 130 cancelled (Ctrl-C).";

/// Parses the command line strictly. Returns 0 if help has been printed and nothing is left to do.
/// Throws RuntimeError with one line that names the mistake.
std::optional<int> parse(CLI::App& app, int argc, const char* const* argv);

/// "flowspec 0.1.0 (protocol 4, flowspec-3+...)".
std::string version_text(const char* program);

}  // namespace flowspec
