#pragma once
/// The cores of this process, for everything in it that computes: stages, verifier, draft.

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace flowspec::cores {

/// Sets how many threads of this process compute at the same time (1: nobody gets help). The default is
/// the number of cores that the process may run on. Whoever computes already goes on; at most 256.
void set_budget(unsigned cores);
unsigned budget();

/// Says that the calling thread computes, as long as this lives: a core that others' work is not given.
/// A thread that computes is never held up: with more of them than the budget, nobody gets help.
class Use {
 public:
  Use();
  ~Use();
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
};

/// Something to call for each number below a count. A view: what it calls has to live longer.
class Work {
 public:
  template <class F>
  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): not copied from, and meant to be implicit.
  Work(const F& f)
      : data_(&f), call_([](const void* data, unsigned i) { (*static_cast<const F*>(data))(i); }) {}
  void operator()(unsigned i) const { call_(data_, i); }

 private:
  const void* data_;
  void (*call_)(const void*, unsigned);
};

/// Calls work(0) to work(count - 1), each once and in no order, on the calling thread and on helpers, on at
/// most `threads` of them together and as far as cores of the budget are free; returns when all have returned. `work` may not throw. Helpers that
/// have nothing to do sleep; those that have just worked wait awake for a moment, if nobody else needs
/// the core.
void share(unsigned threads, unsigned count, Work work);

/// Calls work(row) for each row; for many values, shared in the same way.
/// @param values  of all rows
template <class F>
void share_rows(unsigned threads, std::size_t rows, std::size_t values, const F& work) {
  // Fewer are done before a helper is awake.
  constexpr std::size_t many = 32768;
  constexpr std::size_t most_parts = 32;
  const std::size_t parts = values < many ? 1 : std::min(rows, most_parts);
  share(parts == 1 ? 1 : threads, static_cast<unsigned>(parts), [&](unsigned part) {
    for (std::size_t row = rows * part / parts; row < rows * (part + 1) / parts; ++row)
      work(row);
  });
}

}  // namespace flowspec::cores
