#include "runtime/console/cli.hpp"

#include <map>
#include <sstream>

#include <fmt/format.h>

#include "messages/types.hpp"
#include "models/numerics.hpp"
#include "runtime/console/error.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/strict_options.hpp"

namespace flowspec {

void add_kv_type_option(CLI::App& app, KvType& type) {
  app.add_option_function<std::string>(
         "--kv-type",
         [&type](const std::string& name) {
           type = name == name_of(KvType::f16) ? KvType::f16 : KvType::f32;
         },
         fmt::format("How attention's keys and values are kept: f16 rounds them to half the "
                     "memory, f32 does not (default {})",
                     name_of(type)))
      ->check(CLI::IsMember({"f16", "f32"}));
}

std::vector<std::string> draft_type_names() {
  std::vector<std::string> names;
  names.reserve(std::size(load_types));
  for (LoadType type : load_types)
    names.emplace_back(name_of(type));
  return names;
}

void add_draft_type_option(CLI::App& app, LoadType& type) {
  app.add_option_function<std::string>(
         "--draft-type",
         [&type](const std::string& name) { type = load_type_named(name).value_or(type); },
         draft_type_help)
      ->check(CLI::IsMember(draft_type_names()));
}

const std::vector<std::string>& hidden_type_names() {
  static const std::vector<std::string> names{"f32", "f16", "bf16"};
  return names;
}

HiddenType hidden_type_named(const std::string& name) {
  auto type = HiddenType::f32;
  for (auto known : {HiddenType::f16, HiddenType::bf16})
    if (name == name_of(known))
      type = known;
  return type;
}

void add_hidden_type_option(CLI::App& app, HiddenType& type) {
  app.add_option_function<std::string>(
         "--hidden-type", [&type](const std::string& name) { type = hidden_type_named(name); },
         fmt::format("{} (default f32)", hidden_type_help))
      ->check(CLI::IsMember(hidden_type_names()));
}

void add_numerics_option(CLI::App& app, NumericsChoice& choice) {
  static const std::map<std::string, NumericsChoice> choices{{"auto", NumericsChoice::automatic},
                                                             {"exact", NumericsChoice::exact},
                                                             {"bf16", NumericsChoice::bf16}};
  app.add_option_function<std::string>(
         "--numerics", [&choice](const std::string& name) { choice = choices.at(name); },
         "What multiplies by the model's weights: exact (our own kernels, which give the same bits "
         "on every CPU), bf16 (oneDNN, for BF16 weights, with activations rounded to bfloat16; "
         "refused where a machine cannot), auto (the fastest that all machines have; default)")
      ->check(CLI::IsMember({"auto", "exact", "bf16"}));
}

std::optional<int> parse(CLI::App& app, int argc, const char* const* argv) {
  make_strict(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    std::ostringstream out;
    int code = app.exit(help, out, out);
    print(wrap(out.str(), 80));  // terminals would break lines within words
    return code;
  } catch (const CLI::ParseError& e) {
    check_words(app, argc, argv);
    throw RuntimeError(usage_error(app, e));
  }
  check_words(app, argc, argv);
  return std::nullopt;
}

std::string version_text(const char* program) {
  return fmt::format("{} {} (protocol {}, {})", program, FLOWSPEC_VERSION, protocol_version,
                     numerics_id());
}

}  // namespace flowspec
