// The tape of the lanes: where segments of the pipeline's time are shown.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Tape, niceFactor } from "../../../runtime/page/pipeline/tape.js";

/** A stage and a verifier with `count` segments, each `busyUs` long, the newest of which ends at `at`. */
function state(at, busyUs, { count = 64, first = 0, kept = 0 } = {}) {
  const recent = Array.from({ length: count }, (_, i) => [first + i, 16, kept, (count - i) * busyUs, busyUs]);
  return {
    at_us: at,
    hops: [
      { kind: "draft", recent: [] },
      { kind: "stage", recent },
      { kind: "verifier", recent: recent.slice(0, -2) },
    ],
  };
}

const marks = (tape) => tape.strips.flatMap((strip) => [...strip.marks.values()]);

test("factors are round numbers", () => {
  assert.deepEqual([1, 3, 7, 12, 90, 1500].map(niceFactor), [1, 5, 10, 20, 100, 2000]);
});

test("slow segments are shown in the pipeline's time, a little late", () => {
  const tape = new Tape();
  tape.add(state(10e6, 300e3, { count: 1 }), 100);
  assert.equal(tape.factor, 1);
  // One that began 0.3 s before the event, which came at 100 s.
  assert.deepEqual(marks(tape).map((mark) => [mark.lane, mark.begin.toFixed(2), mark.end.toFixed(2)]), [[1, "100.40", "100.70"]]);
});

test("a segment stays where it is when later events tell of it again", () => {
  const tape = new Tape();
  tape.add(state(10e6, 300e3, { count: 2 }), 100);
  const before = marks(tape).map((mark) => mark.begin);
  const later = state(10e6, 300e3, { count: 2 });
  later.at_us += 250e3;
  for (const hop of later.hops) for (const mark of hop.recent) mark[3] += 250e3;
  tape.add(later, 100.3);
  assert.deepEqual(marks(tape).map((mark) => mark.begin), before);
});

test("fast segments are slowed down, one moment behind the other", () => {
  const tape = new Tape();
  tape.add(state(10e6, 300), 100);
  assert.equal(tape.factor, 1000);
  const [moment] = tape.strips;
  assert.ok(moment.end - moment.begin > 6 && moment.end - moment.begin < 7.5);
  assert.ok(moment.marks.size > 30);
  // The next one waits for its turn, and is of what is known then.
  tape.add(state(11e6, 300, { first: 3000 }), 101);
  assert.equal(tape.strips.length, 1);
  tape.add(state(17e6, 300, { first: 20000 }), moment.end + 0.2);
  assert.equal(tape.strips.length, 2);
  assert.ok(tape.strips[1].begin > moment.end);
  assert.ok([...tape.strips[1].marks.values()].every((mark) => mark.segment >= 20000));
});

test("nothing new is no new moment", () => {
  const tape = new Tape();
  tape.add(state(10e6, 300), 100);
  const idle = state(10e6, 300);
  idle.at_us += 20e6;
  for (const hop of idle.hops) for (const mark of hop.recent) mark[3] += 20e6;
  tape.add(idle, 120);
  assert.equal(tape.strips.length, 1);
});

test("what was before the page was opened is not shown", () => {
  const tape = new Tape();
  const idle = state(10e6, 300);
  for (const hop of idle.hops) for (const mark of hop.recent) mark[3] += 20e6;
  tape.add(idle, 100);
  assert.ok(tape.isEmpty(0));
});

test("rows are in flight until the verifier has had their segment", () => {
  const tape = new Tape();
  tape.add(state(10e6, 300e3, { count: 3 }), 100);
  const ofStage = () => marks(tape).filter((mark) => mark.lane === 1).map((mark) => [mark.segment, mark.isSettled, mark.kept]);
  // What has just been verified may still be told to be kept.
  assert.ok(ofStage().every(([, isSettled]) => !isSettled));
  tape.add(state(10.25e6, 300e3, { count: 3, kept: 2 }), 100.25);
  const settled = ofStage().filter(([segment]) => segment === 0);
  assert.ok(settled.every(([, isSettled, kept]) => isSettled && kept === 2));
  assert.ok(ofStage().filter(([segment]) => segment > 0).every(([, isSettled]) => !isSettled));
});

test("the pace changes when the model does, not for small differences", () => {
  const tape = new Tape();
  tape.add(state(10e6, 300), 100);
  tape.add(state(11e6, 200), 101);
  assert.equal(tape.factor, 1000);
  tape.add(state(12e6, 300e3), 102);
  assert.equal(tape.factor, 1);
});

test("what has passed is forgotten", () => {
  const tape = new Tape();
  tape.add(state(10e6, 300e3, { count: 2 }), 100);
  assert.ok(!tape.isEmpty(99));
  tape.forget(110);
  assert.ok(tape.isEmpty(99));
});

test("before the first segment nothing is shown, and slow motion begins with it", () => {
  const tape = new Tape();
  tape.add(state(10e6, 300, { count: 0 }), 100);
  assert.ok(tape.isEmpty(0));
  tape.add(state(11e6, 300), 101);
  assert.ok(!tape.isEmpty(101));
  assert.equal(tape.factor, 1000);
});
