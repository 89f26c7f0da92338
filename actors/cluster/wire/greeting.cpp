#include "actors/cluster/wire/greeting.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "models/tokenizer/utf8.hpp"

namespace flowspec {

namespace {

using namespace std::string_view_literals;

constexpr auto magic = "FLOWSPEC"sv;
/// Magic, kind, three bytes of zeros, length of the body.
constexpr std::size_t head_size = 16;
constexpr std::size_t most_text = 256;
constexpr std::size_t most_families = 8;
constexpr std::uint32_t least_heartbeat = 10;
constexpr std::uint32_t most_heartbeat = 600000;

enum class Kind : std::uint8_t { greeting = 1, refusal = 2 };

std::string with_head(Kind kind, const std::string& body) {
  ByteWriter writer;
  writer.text(magic).number(static_cast<std::uint8_t>(kind)).text("\0\0\0"sv);
  writer.number(static_cast<std::uint32_t>(body.size())).text(body);
  return writer.take();
}

void write_text(ByteWriter& writer, std::string_view text, std::size_t most = most_text) {
  if (text.size() > most) {
    text = text.substr(0, most);
    for (int i = 0; i < 3 && !is_utf8(text); ++i)
      text.remove_suffix(1);  // a part of a character
  }
  writer.number(static_cast<std::uint16_t>(text.size())).text(text);
}

/// Greetings are shown on terminals, and written as JSON: nothing in them may move a cursor, or be no
/// text.
std::optional<std::string> read_text(ByteReader& reader, std::size_t most = most_text) {
  auto text = reader.text(reader.number<std::uint16_t>());
  bool is_printable =
      std::ranges::none_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
  if (!reader.ok() || text.size() > most || !is_printable || !is_utf8(text))
    return std::nullopt;
  return std::string(text);
}

GreetingReader::Bad bad(std::string_view what) {
  return {fmt::format("its greeting {}", what)};
}

GreetingReader::Result read_greeting(ByteReader& reader) {
  Greeting greeting;
  greeting.oldest_protocol = reader.number<std::uint16_t>();
  greeting.newest_protocol = reader.number<std::uint16_t>();
  auto heartbeat = reader.number<std::uint32_t>();
  auto node = reader.take(greeting.node.size());
  auto version = read_text(reader);
  auto name = read_text(reader);
  auto member = read_text(reader);
  auto families = reader.number<std::uint8_t>();
  if (!reader.ok() || !version || !name || !member)
    return bad("ends early, or holds a text that is too long or not printable");
  if (greeting.oldest_protocol > greeting.newest_protocol)
    return bad("names a range of protocol versions that ends before it begins");
  if (heartbeat < least_heartbeat || heartbeat > most_heartbeat)
    return bad(fmt::format("names a heartbeat of {} ms, which is not from {} to {}", heartbeat,
                           least_heartbeat, most_heartbeat));
  if (families > most_families)
    return bad(fmt::format("names {} numerics families, more than {}", families, most_families));
  for (std::uint8_t i = 0; i < families; ++i) {
    auto family = read_text(reader);
    if (!family)
      return bad("ends within its numerics families");
    greeting.numerics.push_back(*family);
  }
  std::ranges::copy(node, greeting.node.begin());
  greeting.version = *version;
  greeting.name = *name;
  greeting.member = *member;
  greeting.heartbeat = std::chrono::milliseconds(heartbeat);
  // What follows is of later versions.
  return greeting;
}

}  // namespace

std::string encode(const Greeting& greeting) {
  ByteWriter body;
  body.number(greeting.oldest_protocol).number(greeting.newest_protocol);
  body.number(static_cast<std::uint32_t>(greeting.heartbeat.count()));
  body.text({reinterpret_cast<const char*>(greeting.node.data()), greeting.node.size()});
  write_text(body, greeting.version);
  write_text(body, greeting.name);
  write_text(body, greeting.member);
  auto families = std::min(greeting.numerics.size(), most_families);
  body.number(static_cast<std::uint8_t>(families));
  for (std::size_t i = 0; i < families; ++i)
    write_text(body, greeting.numerics[i]);
  return with_head(Kind::greeting, body.take());
}

std::string encode(const Refusal& refusal) {
  ByteWriter body;
  write_text(body, refusal.why, most_greeting_bytes / 2);
  return with_head(Kind::refusal, body.take());
}

GreetingReader::Result GreetingReader::feed(Bytes& bytes) {
  auto take_until = [&](std::size_t size) {
    auto count = std::min(bytes.size(), size - std::min(size, held_.size()));
    held_.append(reinterpret_cast<const char*>(bytes.data()), count);
    bytes = bytes.subspan(count);
    return held_.size() >= size;
  };
  bool has_head = take_until(head_size);
  if (!magic.starts_with(std::string_view(held_).substr(0, magic.size())))
    return bad("is none: it does not speak as a flowspec program of this version");
  if (!has_head)
    return More{};
  ByteReader head(bytes_of(held_));
  head.take(magic.size());
  auto kind = head.number<std::uint8_t>();
  auto zeros = head.text(3);
  auto size = head.number<std::uint32_t>();
  if ((kind != 1 && kind != 2) || zeros != "\0\0\0"sv)
    return bad("is of a kind that this version does not know");
  if (size > most_greeting_bytes - head_size)
    return bad(fmt::format("claims {} bytes, more than {}", size, most_greeting_bytes - head_size));
  if (!take_until(head_size + size))
    return More{};
  ByteReader body(bytes_of(held_).subspan(head_size));
  if (kind == static_cast<std::uint8_t>(Kind::greeting))
    return read_greeting(body);
  auto why = read_text(body, most_greeting_bytes / 2);
  if (!why)
    return bad("is a refusal that cannot be read");
  return Refusal{*why};
}

std::variant<Agreement, Refusal> agree(const Greeting& own, const Greeting& peer) {
  auto newest = std::min(own.newest_protocol, peer.newest_protocol);
  auto oldest = std::max(own.oldest_protocol, peer.oldest_protocol);
  auto range = [](const Greeting& side) {
    return side.oldest_protocol == side.newest_protocol
               ? fmt::format("version {}", side.newest_protocol)
               : fmt::format("versions {} to {}", side.oldest_protocol, side.newest_protocol);
  };
  if (oldest > newest)
    return Refusal{fmt::format(
        "flowspec {} speaks protocol {}, flowspec {} protocol {}: install the same version on both",
        own.version, range(own), peer.version, range(peer))};
  if (own.node == peer.node)
    return Refusal{"both ends are the same process"};
  return Agreement{newest, std::max(own.heartbeat, peer.heartbeat)};
}

}  // namespace flowspec
