#pragma once
/// CPU features that __builtin_cpu_supports does not know in every compiler. Ask for "avx2" as
/// well: that covers the support by the operating system. On ARM the kernel says what there is.

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

/// Tiles of bytes, and AVX512-VBMI, which every CPU with tiles has. Whether the system lets a process
/// use them, it has to be asked.
inline bool cpu_has_amx_int8() {
  constexpr unsigned vbmi = 1U << 1;
  constexpr unsigned tile_and_int8 = 3U << 24;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & vbmi) != 0 &&
         (d & tile_and_int8) == tile_and_int8;
}

}  // namespace flowspec::packed

#elif defined(__aarch64__) && defined(__clang__) && __clang_major__ < 16
// It knows later instructions only in files that are compiled for them as a whole.
#elif defined(__aarch64__) && defined(__linux__)

#define FLOWSPEC_ARM_EXTENSIONS

#include <asm/hwcap.h>
#include <sys/auxv.h>

namespace flowspec::packed {

inline bool cpu_has_dot_product() {
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
}

inline bool cpu_has_i8mm() {
  return (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
}

}  // namespace flowspec::packed

#endif
