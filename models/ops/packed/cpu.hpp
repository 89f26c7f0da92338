#pragma once
/// CPU features that __builtin_cpu_supports does not know in every compiler. Ask for "avx2" as
/// well: that covers the support by the operating system.

#if defined(__x86_64__)

#include <cpuid.h>

namespace flowspec::packed {

inline bool cpu_has_f16c() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

inline bool cpu_has_avx_vnni() {
  constexpr unsigned avx_vnni = 1U << 4;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & avx_vnni) != 0;
}

}  // namespace flowspec::packed

#endif
