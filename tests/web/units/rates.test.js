// Rates from counters that only grow.

import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "../../../runtime/page/pipeline/rates.js";

function state(seconds, tokens, hop = {}) {
  return {
    at_us: seconds * 1e6,
    totals: { tokens, verifications: tokens / 2 },
    hops: [{ kind: "stage", busy_us: 0, rows: 0, rows_kept: 0, ...hop }],
  };
}

test("tokens per second are of the last seconds only", () => {
  const history = new History(12);
  history.add(state(0, 0));
  history.add(state(8, 0));
  history.add(state(10, 40));
  assert.equal(history.tokensPerSecond(2), 20);
  assert.equal(history.tokensPerSecond(10), 4);
});

test("one event is not enough for a rate", () => {
  const history = new History(12);
  history.add(state(3, 100));
  assert.ok(Number.isNaN(history.tokensPerSecond(2)));
  assert.ok(Number.isNaN(history.acceptLength()));
});

test("the accept length is tokens per verification", () => {
  const history = new History(12);
  history.add(state(0, 100));
  history.add(state(1, 140));
  assert.equal(history.acceptLength(), 2);
});

test("a busy hop's time is divided by the rows that were kept", () => {
  const history = new History(12);
  history.add(state(0, 0));
  history.add(state(2, 0, { busy_us: 1e6, rows: 100, rows_kept: 25 }));
  assert.deepEqual(history.use(0, 2), { busy: 0.5, kept: 0.125, wasted: 0.375 });
});

test("a hop that has not answered, or was made again, has no absurd figures", () => {
  const history = new History(12);
  history.add(state(0, 0, { busy_us: 5e6, rows: 900, rows_kept: 500 }));
  history.add(state(1, 0, { busy_us: null, rows: null, rows_kept: null }));
  assert.equal(history.use(0, 1), null);
  history.add(state(2, 0, { busy_us: 1e5, rows: 10, rows_kept: 5 }));
  const use = history.use(0, 2);
  assert.ok(use.busy >= 0 && use.kept >= 0 && use.wasted >= 0);
});

test("a server that was started again begins anew", () => {
  const history = new History(12);
  history.add(state(500, 900));
  assert.equal(history.add(state(1, 0)), false);
  assert.equal(history.add(state(2, 10)), true);
  assert.equal(history.tokensPerSecond(2), 10);
});
