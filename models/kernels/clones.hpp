#pragma once

// Compiles a function once per instruction set; the loader chooses one. For loops on simd::Float8,
// which give the same bits on each.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)
#define FLOWSPEC_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define FLOWSPEC_CLONES
#endif
