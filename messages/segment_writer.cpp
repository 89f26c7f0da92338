#include "messages/segment_writer.hpp"

#include <utility>

#include "messages/codec.hpp"

namespace flowspec {

SegmentWriter::SegmentWriter(SegmentId id, std::span<const Row> rows, std::uint32_t hidden_size,
                             std::span<const Prune> prunes, std::size_t taps, bool awaits_more) {
  if (hidden_size == 0)
    taps = 0;
  const auto tensors = hidden_size == 0 ? 0 : 1 + taps;
  FlatMessage message("Segment",
                      words_of_rows(rows.size()) + words_of(prunes) + 1 +  // 1: the taps' list tag
                          tensors * words_of_tensor(rows.size() * hidden_size));
  auto out = message.root<schema::Segment>();
  out.setId(id);
  out.setAwaitsMore(awaits_more);
  encode(rows, out.initRows(rows.size()));
  encode(prunes, out.initPrunes(prunes.size()));
  if (hidden_size != 0) {
    hidden_ = init_tensor(out.initHidden(), rows.size(), hidden_size);
    for (auto tap : out.initTaps(taps))
      taps_.push_back(init_tensor(tap, rows.size(), hidden_size));
  }
  buffer_ = message.finish();
}

Wire<Segment> SegmentWriter::finish() && {
  return Wire<Segment>(std::move(buffer_));
}

}  // namespace flowspec
