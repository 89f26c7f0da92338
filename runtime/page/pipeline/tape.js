// What the lanes show: a tape that moves to the left at one pace, whatever the pipeline's.
//
// If a segment takes long enough to be seen, the tape is the time of the pipeline, a little late, so that nothing
// has to be drawn afterwards. Else it shows moments of the pipeline in slow motion, one behind the other: the newest
// that is known when the last one ends.

/** Seconds of tape that a usual segment should have. */
const usualLength = 0.3;
/** How late the lanes are, so that a segment is known when its place comes into view. */
export const delay = 0.7;
/** Seconds of tape of a moment in slow motion, and the gap behind it. */
const longestMoment = 7;
const gap = 0.35;
/** A moment that ended so long ago, in microseconds, is no longer shown. */
const oldest = 1.5e6;

/** 1, 2, 5, 10, 20, ...: the next one that is not smaller. */
export function niceFactor(factor) {
  const power = 10 ** Math.floor(Math.log10(factor));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= factor * 0.999) ?? factor;
}

function median(numbers) {
  return numbers.length ? [...numbers].sort((a, b) => a - b)[numbers.length >> 1] : 0;
}

/** How much slower than the pipeline the tape should go; 1: as fast. */
function factorFor(state) {
  const stages = state.hops.filter((hop) => hop.kind === "stage");
  const usual = median(stages.flatMap((hop) => (hop.recent ?? []).map((mark) => mark[4]))) / 1e6;
  if (usual <= 0) return 1;
  const factor = usualLength / usual;
  return factor <= 2.5 ? 1 : niceFactor(factor);
}

/** All marks of the state, with the server's time. */
function marksOf(state) {
  return state.hops.flatMap((hop, lane) =>
    (hop.recent ?? []).map(([segment, rows, kept, ago, busy]) => ({ lane, segment, rows, kept, start: state.at_us - ago, busy })),
  );
}

/** Behind it, the server has said which of its rows are kept: segments pass the verifier in order. */
function settledSegment(state) {
  const verifier = state.hops.find((hop) => hop.kind === "verifier");
  return Math.max(-1, ...(verifier?.recent ?? []).map((mark) => mark[0]));
}

export class Tape {
  /** [{begin, origin, factor, end, marks: Map}]: `begin` and `end` on the tape, `origin` in the server's time. */
  strips = [];
  factor = 1;
  #state = null;
  #settled = -1;

  clear() {
    this.strips = [];
    this.#state = null;
    this.#settled = -1;
  }

  /** An event that came when the tape was at `head` seconds. */
  add(state, head) {
    const before = this.#settled;
    this.#settled = settledSegment(state);
    this.#state = state;
    const wanted = factorFor(state);
    const last = this.strips.at(-1);
    // Not to and fro between two that are near each other.
    if (!last || wanted > this.factor * 2.1 || wanted < this.factor / 2.1) this.factor = wanted;
    if (this.factor === 1) this.#addLive(state, head);
    else {
      if (last?.end === Infinity) last.end = head;
      this.advance(head);
    }
    this.#update(state, Math.min(before, this.#settled));
  }

  /** Begins the next moment if the last one ends. */
  advance(head) {
    const state = this.#state;
    const last = this.strips.at(-1);
    if (!state || this.factor === 1 || (last && last.end > head - gap / 2)) return;
    const lanes = state.hops.map((hop) => hop.recent ?? []).filter((recent) => recent.length > 0);
    if (lanes.length === 0) return;
    const newest = Math.max(...lanes.flatMap((recent) => recent.map((mark) => state.at_us - mark[3] + mark[4])));
    if (state.at_us - newest > oldest) return;
    // All lanes know what they did since then.
    const known = Math.max(...lanes.map((recent) => state.at_us - Math.max(...recent.map((mark) => mark[3]))));
    const origin = Math.max(known, newest - longestMoment * 1e6 / this.factor, last?.newest ?? 0);
    if (newest <= origin) return;
    const begin = Math.max(head, (last?.end ?? 0) + gap);
    const strip = { begin, origin, factor: this.factor, newest, end: begin + ((newest - origin) * this.factor) / 1e6, marks: new Map() };
    for (const mark of marksOf(state)) if (mark.start >= origin) this.#put(strip, mark);
    this.strips.push(strip);
    this.#update(state, this.#settled);
  }

  /** Forgets what is older than this place on the tape. */
  forget(before) {
    while (this.strips.length > 1 && this.strips[0].end < before) this.strips.shift();
    for (const strip of this.strips)
      for (const [key, mark] of strip.marks) if (mark.end < before) strip.marks.delete(key);
  }

  /** Whether anything is to be seen, or soon will be, between these places. */
  isEmpty(from) {
    return !this.strips.some((strip) => [...strip.marks.values()].some((mark) => mark.end > from));
  }

  #addLive(state, head) {
    const marks = marksOf(state);
    if (marks.length === 0) return;
    let strip = this.strips.at(-1);
    const now = state.at_us - delay * 1e6;
    const place = strip && strip.begin + (now - strip.origin) / 1e6;
    // Another pace before, or the clocks have gone apart: the browser was asleep.
    if (!strip || strip.factor !== 1 || Math.abs(place - head) > 1.5) {
      const begin = Math.max(head, Math.min(head + 2, (strip?.end ?? 0) + gap));
      strip = { begin, origin: now + (begin - head) * 1e6, factor: 1, newest: now, end: Infinity, marks: new Map() };
      for (const earlier of this.strips) earlier.end = Math.min(earlier.end, begin);
      this.strips.push(strip);
    }
    for (const mark of marks) if (mark.start >= strip.origin) this.#put(strip, mark);
  }

  #put(strip, mark) {
    const key = `${mark.lane} ${mark.segment} ${mark.rows}`;
    if (strip.marks.has(key)) return;
    const start = strip.begin + ((mark.start - strip.origin) * strip.factor) / 1e6;
    strip.marks.set(key, { ...mark, begin: start, end: start + (mark.busy * strip.factor) / 1e6, isSettled: false });
  }

  /** Rows that have been kept since. */
  #update(state, settled) {
    const strip = this.strips.at(-1);
    if (!strip) return;
    state.hops.forEach((hop, lane) => {
      for (const [segment, rows, kept] of hop.recent ?? []) {
        const mark = strip.marks.get(`${lane} ${segment} ${rows}`);
        if (mark) mark.kept = kept;
      }
    });
    for (const mark of strip.marks.values()) mark.isSettled ||= mark.segment <= settled;
  }
}
