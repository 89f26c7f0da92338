#include "messages/segment_writer.hpp"

#include <utility>

#include "messages/codec.hpp"
#include "messages/tensor_values.hpp"

namespace flowspec {

SegmentWriter::SegmentWriter(SegmentId id, std::span<const Row> rows, std::uint32_t hidden_size,
                             std::span<const Prune> prunes, bool awaits_more, HiddenType type)
    : type_(type) {
  const auto hidden_words = hidden_size == 0 ? 0 : words_of_tensor(rows.size() * hidden_size, type);
  FlatMessage message("Segment", words_of_rows(rows.size()) + words_of(prunes) + hidden_words);
  auto out = message.root<schema::Segment>();
  out.setId(id);
  out.setAwaitsMore(awaits_more);
  encode(rows, out.initRows(rows.size()));
  encode(prunes, out.initPrunes(prunes.size()));
  if (hidden_size != 0) {
    const auto count = rows.size() * hidden_size;
    bytes_ = init_tensor(out.initHidden(), rows.size(), hidden_size, type);
    if (bytes_of_value(type) == sizeof(float)) {
      hidden_ = {reinterpret_cast<float*>(bytes_), count};
    } else {
      unpacked_ = std::make_unique<float[]>(count);
      hidden_ = {unpacked_.get(), count};
    }
  }
  buffer_ = message.finish();
}

Wire<Segment> SegmentWriter::finish() && {
  if (unpacked_ != nullptr)
    pack(type_, hidden_, bytes_);
  return Wire<Segment>(std::move(buffer_));
}

}  // namespace flowspec
