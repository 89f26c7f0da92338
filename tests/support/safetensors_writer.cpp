#include "tests/support/safetensors_writer.hpp"

#include "tests/support/gguf_writer.hpp"
#include "tests/support/quantize.hpp"

namespace flowspec::test {

void SafetensorsWriter::add_tensor(const std::string& name, TensorType type,
                                   std::vector<std::uint64_t> shape,
                                   std::span<const float> values) {
  add_raw_tensor(name, type_name(type), shape, convert(type, values));
}

void SafetensorsWriter::add_raw_tensor(const std::string& name, const std::string& dtype,
                                       const std::vector<std::uint64_t>& shape,
                                       const std::string& bytes) {
  std::string sizes;
  for (const std::uint64_t size : shape) {
    sizes += sizes.empty() ? "" : ",";
    sizes += std::to_string(size);
  }
  entries_ += ",\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + sizes +
              "],\"data_offsets\":[" + std::to_string(data_.size()) + "," +
              std::to_string(data_.size() + bytes.size()) + "]}";
  data_ += bytes;
}

std::string SafetensorsWriter::bytes() const {
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}" + entries_ + "}";
  while (header.size() % 8 != 0)
    header += ' ';
  return safetensors_file(header, data_);
}

void SafetensorsWriter::write(const std::filesystem::path& path) const {
  write_file(path, bytes());
}

std::string safetensors_file(const std::string& header, const std::string& data) {
  return bytes_of<std::uint64_t>(header.size()) + header + data;
}

}  // namespace flowspec::test
