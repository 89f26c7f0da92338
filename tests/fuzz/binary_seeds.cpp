#include <vector>

#include "tests/fuzz/seeds.hpp"
#include "tests/support/message_samples.hpp"
#include "tests/support/safetensors_writer.hpp"

namespace flowspec::fuzz {
namespace {

/// The message behind the number of its type.
template <class... T>
void add_messages(std::tuple<T...>*, Seeds& seeds) {
  std::uint8_t type = 0;
  const auto add = [&](const auto& message) {
    const auto words = std::as_bytes(message.words());
    const std::string bytes(reinterpret_cast<const char*>(words.data()), words.size());
    const std::string name = to_string(message);
    seeds[name.substr(0, name.find('('))] = std::string(1, static_cast<char>(type)) + bytes;
    ++type;
  };
  (add(Wire<T>(tests::sample<T>())), ...);
}

}  // namespace

Seeds message_seeds() {
  Seeds seeds;
  add_messages(static_cast<tests::AllMessages*>(nullptr), seeds);
  // The same as CAF sends it: behind its size.
  const auto bytes = tests::to_bytes(Wire<Open>(tests::sample<Open>()));
  seeds["Open_by_CAF"] = "\2" + std::string(bytes.begin(), bytes.end());
  return seeds;
}

Seeds safetensors_seeds() {
  const std::vector<float> six{1, -2, 0.5F, 4, 0, -0.25F};
  test::SafetensorsWriter types;
  types.add_tensor("half", TensorType::f16, {3}, std::vector<float>{1, 2, -3});
  types.add_tensor("single", TensorType::f32, {2, 3}, six);
  types.add_tensor("brain", TensorType::bf16, {3, 2}, six);
  types.add_raw_tensor("flags", "BOOL", {5}, std::string(5, '\1'));
  types.add_raw_tensor("odd", "Q9_X", {5}, "whatever");
  types.add_tensor("empty", TensorType::f32, {0, 4}, {});
  types.add_tensor("scalar", TensorType::f32, {}, std::vector<float>{7});
  test::SafetensorsWriter eagle;
  eagle.add_tensor("fc.weight", TensorType::f16, {2, 4}, std::vector<float>(8));
  eagle.add_tensor("fc.bias", TensorType::f16, {2}, std::vector<float>(2));
  test::SafetensorsWriter model;
  model.add_tensor("model.norm.weight", TensorType::bf16, {2}, std::vector<float>(2));
  return {{"types.safetensors", types.bytes()},
          {"eagle.safetensors", eagle.bytes()},
          {"model.safetensors", model.bytes()},
          {"none.safetensors", test::safetensors_file("{}", "")}};
}

}  // namespace flowspec::fuzz
