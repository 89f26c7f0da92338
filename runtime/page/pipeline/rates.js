// Rates from counters that only grow.

/** States of the last `span` seconds, and one that is older. */
export class History {
  #span;
  #states = [];

  constructor(span) {
    this.#span = span;
  }

  /** False: this is another server, or one that was started again; what was before is forgotten. */
  add(state) {
    const last = this.#states.at(-1);
    const isNew = last && (state.at_us < last.at_us || state.totals.tokens < last.totals.tokens || state.hops.length !== last.hops.length);
    if (isNew) this.#states = [];
    this.#states.push(state);
    while (this.#states.length > 2 && this.#states[1].at_us < state.at_us - this.#span * 1e6) this.#states.shift();
    return !isNew;
  }

  get last() {
    return this.#states.at(-1);
  }

  /** The last state that is at least so many seconds old, or the oldest. */
  #before(seconds) {
    const limit = this.last.at_us - seconds * 1e6;
    return this.#states.findLast((state) => state.at_us <= limit) ?? this.#states[0];
  }

  /** Of the last `seconds`; NaN: not known yet. */
  tokensPerSecond(seconds) {
    const before = this.#before(seconds);
    return ((this.last.totals.tokens - before.totals.tokens) * 1e6) / (this.last.at_us - before.at_us);
  }

  /** Tokens per verification, of the whole span; NaN: nothing was verified. */
  acceptLength() {
    const before = this.#states[0].totals;
    const now = this.last.totals;
    const verifications = now.verifications - before.verifications;
    return verifications > 0 ? (now.tokens - before.tokens) / verifications : NaN;
  }

  /**
   * What a hop did in the last `seconds`: shares of the time, {kept, wasted, busy}, or null if it has not said. How
   * the time is divided between kept and wasted rows is by their number. Without kept rows in the statistics, as of
   * the draft, all is `kept`.
   */
  use(hop, seconds) {
    const now = this.last.hops[hop];
    const before = this.#before(seconds).hops[hop];
    const time = this.last.at_us - this.#before(seconds).at_us;
    if (now.busy_us === null || before?.busy_us == null || time <= 0) return null;
    // A part that was made again counts from zero.
    const busy = Math.min(1, Math.max(0, now.busy_us - before.busy_us) / time);
    const rows = now.rows - before.rows;
    const keptRows = now.rows_kept - before.rows_kept;
    const share = now.kind === "draft" || rows <= 0 ? 1 : Math.min(1, Math.max(0, keptRows / rows));
    return { busy, kept: busy * share, wasted: busy * (1 - share) };
  }
}
