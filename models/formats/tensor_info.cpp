#include "models/formats/tensor_info.hpp"

namespace flowspec {

std::uint64_t TensorInfo::elements() const {
  std::uint64_t product = 1;
  for (const std::uint64_t size : shape) {
    product *= size;
  }
  return product;
}

std::span<const std::byte> TensorInfo::row(std::uint64_t index) const {
  const std::size_t row_bytes = data.size() / (elements() / (shape.empty() ? 1 : shape[0]));
  return data.subspan(index * row_bytes, row_bytes);
}

std::vector<float> TensorInfo::floats() const {
  std::vector<float> values(elements());
  to_float(type, data, values);
  return values;
}

}  // namespace flowspec
