#pragma once

namespace flowspec {

/// How much the programs say beside their output.
enum class Verbosity { quiet, normal, verbose };

}  // namespace flowspec
