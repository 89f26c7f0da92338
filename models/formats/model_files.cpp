#include "models/formats/model_files.hpp"

#include "models/error.hpp"

namespace flowspec {

void ModelFiles::check_unchanged() const {
  const std::vector<std::filesystem::path> paths = parts();
  const std::vector<FileIdentity> opened = identities();
  for (std::size_t i = 0; i < opened.size(); ++i) {
    if (FileIdentity::of(paths[i]) != opened[i]) {
      throw ModelError(paths[i].string() +
                       ": was changed while it was read. Try again when it is complete.");
    }
  }
}

}  // namespace flowspec
