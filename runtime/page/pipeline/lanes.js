// Draws the lanes on a canvas: a line for each hop, on which its segments pass from right to left.

import { delay } from "./tape.js";

const pixelsPerSecond = 38;
const narrowest = 1.5;

/** Colours as the style sheet has them for the legend, so that there is one place for them. */
function coloursOf(samples) {
  const colours = {};
  for (const [name, element] of Object.entries(samples)) colours[name] = getComputedStyle(element).backgroundColor;
  return colours;
}

function bar(context, x, y, width, height) {
  context.beginPath();
  if (width > 6 && height > 5) context.roundRect(x, y, width, height, 2);
  else context.rect(x, y, width, height);
  context.fill();
}

export class Lanes {
  #canvas;
  #context;
  #tape;
  #samples;
  #colours = {};
  #kinds = [];
  #laneHeight = 44;
  #trees = [];
  #most = 16;
  #frame = 0;
  #isVisible = false;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /** `samples`: elements with the colours kept, wasted, flight, line. */
  constructor(canvas, tape, samples) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#tape = tape;
    this.#samples = samples;
    new ResizeObserver(() => this.#fit()).observe(canvas);
    this.refreshColours();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.refreshColours());
  }

  /** Seconds of tape that have passed at the right margin. */
  get head() {
    return performance.now() / 1000;
  }

  refreshColours() {
    this.#colours = coloursOf(this.#samples);
    this.wake();
  }

  setLanes(kinds, laneHeight) {
    this.#kinds = kinds;
    this.#laneHeight = laneHeight;
    this.#fit();
  }

  setVisible(isVisible) {
    this.#isVisible = isVisible;
    this.wake();
  }

  addTree(nodes, sent) {
    // As late as the segments.
    this.#trees.push({ at: this.head + delay, nodes, sent });
    const limit = this.head - this.#span() - 2;
    while (this.#trees.length > 2 && this.#trees[1].at < limit) this.#trees.shift();
  }

  /** Something has changed. */
  wake() {
    if (!this.#isVisible || this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#tape.advance(this.head);
      this.draw();
      // It rests when nothing moves. Who wants calm sees a new picture with each event.
      if (!this.#calm.matches && this.#moves()) this.wake();
    });
  }

  #span() {
    return this.#canvas.clientWidth / pixelsPerSecond;
  }

  #moves() {
    const from = this.head - this.#span();
    return !this.#tape.isEmpty(from) || this.#trees.some((tree) => tree.at > from && tree.nodes > 0);
  }

  #fit() {
    const scale = devicePixelRatio || 1;
    const width = this.#canvas.clientWidth;
    const height = Math.max(1, this.#kinds.length * this.#laneHeight);
    this.#canvas.style.height = `${height}px`;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    this.#context.setTransform(scale, 0, 0, scale, 0, 0);
    this.draw();
    this.wake();
  }

  draw() {
    const head = this.head;
    const width = this.#canvas.clientWidth;
    const from = head - this.#span();
    this.#tape.forget(from - 1);
    this.#context.clearRect(0, 0, width, this.#canvas.clientHeight);
    this.#findMost();
    const x = (place) => width - (head - place) * pixelsPerSecond;
    this.#drawLines(width, x);
    this.#kinds.forEach((kind, lane) => kind === "draft" && this.#drawTree(lane, x));
    for (const strip of this.#tape.strips)
      for (const mark of strip.marks.values()) if (mark.end > from && mark.begin < head) this.#drawMark(mark, x);
  }

  /** The largest segment in view fills its lane. It falls slowly, so that the others do not jump. */
  #findMost() {
    let most = 8;
    for (const strip of this.#tape.strips) for (const mark of strip.marks.values()) most = Math.max(most, mark.rows);
    this.#most = most > this.#most ? most : Math.max(most, this.#most * 0.99);
  }

  #floor(lane) {
    return Math.round((lane + 1) * this.#laneHeight - this.#laneHeight * 0.2);
  }

  get #tallest() {
    return this.#laneHeight * 0.62;
  }

  #drawLines(width, x) {
    const context = this.#context;
    context.fillStyle = this.#colours.line;
    this.#kinds.forEach((_, lane) => context.fillRect(0, this.#floor(lane), width, 1));
    // Where one moment ends and another begins.
    for (const strip of this.#tape.strips.slice(1)) {
      const place = Math.round(x(strip.begin - 0.17));
      for (let y = 4; y < this.#kinds.length * this.#laneHeight; y += 7) context.fillRect(place, y, 1, 3);
    }
  }

  #drawMark(mark, x) {
    const context = this.#context;
    const left = x(mark.begin);
    const width = Math.max(narrowest, x(mark.end) - left - 1);
    const height = Math.max(3, this.#tallest * Math.sqrt(mark.rows / this.#most));
    const floor = this.#floor(mark.lane);
    const kept = mark.rows > 0 ? Math.min(1, mark.kept / mark.rows) : 0;
    context.fillStyle = mark.isSettled ? this.#colours.wasted : this.#colours.flight;
    bar(context, left, floor - height, width, height);
    if (kept === 0) return;
    const keptHeight = kept === 1 ? height : Math.max(2.5, height * kept);
    context.fillStyle = this.#colours.kept;
    bar(context, left, floor - keptHeight, width, keptHeight);
  }

  /** The draft has no segments; its lane is the size of the tree, and of that what is in flight. */
  #drawTree(lane, x) {
    if (this.#trees.length < 2) return;
    const most = Math.max(8, ...this.#trees.map((tree) => tree.nodes));
    for (const [name, colour] of [["nodes", this.#colours.line], ["sent", this.#colours.flight]]) {
      const floor = this.#floor(lane);
      const y = (tree) => floor - (this.#tallest * tree[name]) / most;
      const context = this.#context;
      context.fillStyle = colour;
      context.beginPath();
      context.moveTo(x(this.#trees[0].at), floor);
      for (const [i, tree] of this.#trees.entries()) {
        if (i > 0) context.lineTo(x(tree.at), y(this.#trees[i - 1]));
        context.lineTo(x(tree.at), y(tree));
      }
      const end = x(Math.max(this.head, this.#trees.at(-1).at));
      context.lineTo(end, y(this.#trees.at(-1)));
      context.lineTo(end, floor);
      context.fill();
    }
  }
}
