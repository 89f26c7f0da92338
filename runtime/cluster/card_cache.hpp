#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "messages/setup_types.hpp"
#include "models/formats/user_cache.hpp"

namespace flowspec {

/// Models that nodes have, as they are kept here: their files without the weights, which are holes. So
/// they can be opened, but not computed with. Everything may be deleted at any moment that no run uses it.
class CardCache {
 public:
  static constexpr std::uint64_t usual_bytes = std::uint64_t{1} << 30;

  /// @param most_bytes  of disk, over all models; the one that was used longest ago goes first.
  explicit CardCache(std::filesystem::path folder = user_cards_folder(),
                     std::uint64_t most_bytes = usual_bytes)
      : folder_(std::move(folder)), most_bytes_(most_bytes) {}

  /// Bytes of a file, or table, of the card from this offset on; throws what it wants.
  using ReadPiece = std::function<std::string(const ModelCard::File& file, std::uint64_t offset)>;

  struct Kept {
    /// What `open_model` and `open_draft` take.
    std::filesystem::path path;
    /// 0: everything was here.
    std::uint64_t read_bytes = 0;
  };

  /// The card may be a lie: whatever it says, nothing outside this folder is written. Throws RuntimeError
  /// and ModelError, and what `read` throws; then nothing is kept.
  Kept get(const ModelCard& card, const ReadPiece& read) const;

 private:
  void remove_oldest(const std::filesystem::path& kept) const;

  const std::filesystem::path folder_;
  const std::uint64_t most_bytes_;
};

}  // namespace flowspec
