#pragma once

namespace flowspec {

/// How much the programs print beside their output.
enum class Verbosity { quiet, normal, verbose };

}  // namespace flowspec
