#include "messages/segment_writer.hpp"

#include <utility>

#include "messages/codec.hpp"
#include "messages/tensor_values.hpp"

namespace flowspec {

SegmentWriter::SegmentWriter(SegmentId id, std::span<const Row> rows, std::uint32_t hidden_size,
                             std::span<const Prune> prunes, std::size_t taps, bool awaits_more,
                             HiddenType type)
    : type_(type) {
  if (hidden_size == 0)
    taps = 0;
  const auto tensors = hidden_size == 0 ? 0 : 1 + taps;
  FlatMessage message("Segment",
                      words_of_rows(rows.size()) + words_of(prunes) + 1 +  // 1: the taps' list tag
                          tensors * words_of_tensor(rows.size() * hidden_size, type));
  auto out = message.root<schema::Segment>();
  out.setId(id);
  out.setAwaitsMore(awaits_more);
  encode(rows, out.initRows(rows.size()));
  encode(prunes, out.initPrunes(prunes.size()));
  if (hidden_size != 0) {
    auto count = rows.size() * hidden_size;
    tensors_.push_back(
        target(init_tensor(out.initHidden(), rows.size(), hidden_size, type), count));
    for (auto tap : out.initTaps(taps))
      tensors_.push_back(target(init_tensor(tap, rows.size(), hidden_size, type), count));
  }
  buffer_ = message.finish();
}

SegmentWriter::Target SegmentWriter::target(std::uint8_t* bytes, std::size_t count) {
  if (bytes_of_value(type_) == sizeof(float))
    return {{reinterpret_cast<float*>(bytes), count}, bytes};
  unpacked_.push_back(std::make_unique<float[]>(count));
  return {{unpacked_.back().get(), count}, bytes};
}

Wire<Segment> SegmentWriter::finish() && {
  if (!unpacked_.empty())
    for (const Target& tensor : tensors_)
      pack(type_, tensor.values, tensor.bytes);
  return Wire<Segment>(std::move(buffer_));
}

}  // namespace flowspec
