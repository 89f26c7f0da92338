// The panel beside the chat: figures, lanes, nodes, and what has happened.

import { byId, make, setText } from "../base/dom.js";
import { ago, count, figure, percent, shortName } from "../base/format.js";
import { Events } from "./events.js";
import { Lanes } from "./lanes.js";
import { History } from "./rates.js";
import { Tape } from "./tape.js";

const healthWords = { ready: "ready", loading: "loading", degraded: "recovering", off: "not connected", key: "wants an API key" };
/** Seconds that rates are taken over. */
const rateSpan = 2;
const historySpan = 12;
const sparkPoints = 120;

function tile(label, title) {
  const value = make("dd", {}, "–");
  const note = make("span", { class: "tile-note" });
  return { value, note, element: make("div", { class: "tile", title }, make("dt", {}, label), value, note) };
}

function swatch(name, text) {
  const colour = make("i", { class: `swatch ${name}` });
  return { colour, element: make("span", {}, colour, text) };
}

export class Panel {
  #history = new History(historySpan);
  #tape = new Tape();
  #events = new Events((state) => this.#show(state), (link) => this.#showLink(link));
  #lanes;
  #rows = [];
  #tiles;
  #spark = { values: [], line: null };
  #parts = {};
  #isShown = false;

  constructor() {
    this.#build();
    document.addEventListener("visibilitychange", () => this.#listen());
  }

  /** Whether somebody can see it. */
  setShown(isShown) {
    this.#isShown = isShown;
    this.#listen();
  }

  /** Another API key, for example. */
  reconnect() {
    this.#events.stop();
    this.#listen();
  }

  refreshColours() {
    this.#lanes.refreshColours();
  }

  #listen() {
    const isSeen = this.#isShown && document.visibilityState === "visible";
    this.#lanes.setVisible(isSeen);
    if (isSeen) this.#events.start();
    else this.#events.stop();
  }

  #build() {
    this.#tiles = {
      speed: tile("tokens/s", "Of all conversations, in the last two seconds"),
      accept: tile("accept length", "Tokens for each verification, in the last twelve seconds"),
      tree: tile("tree", "Guessed tokens, and those of them that are in the pipeline"),
      sessions: tile("answers", "Answers that are being written, and those that wait for memory"),
    };
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "spark");
    svg.setAttribute("viewBox", `0 0 ${sparkPoints} 20`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    this.#spark.line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    svg.append(this.#spark.line);
    this.#tiles.speed.element.append(svg);

    const kept = swatch("kept", "kept");
    const wasted = swatch("wasted", "wasted");
    const flight = swatch("flight", "in flight");
    const line = make("i", { class: "swatch line" });
    const canvas = make("canvas", { class: "lanes-canvas", role: "img", "aria-label": "Segments as they pass the hops" });
    this.#parts = {
      labels: make("ol", { class: "lane-labels" }),
      uses: make("ol", { class: "lane-uses" }),
      pace: make("span", { class: "pace" }),
      nodes: make("ul", { class: "nodes" }),
      news: make("ol", { class: "news" }),
      totals: make("p", { class: "small totals" }),
      empty: make("p", { class: "small pipeline-empty" }, "Waiting for the server to tell of its pipeline."),
    };
    const { labels, uses, pace, nodes, news, totals, empty } = this.#parts;
    byId("pipeline").classList.add("untold");
    byId("pipeline-body").append(
      make("dl", { class: "tiles" }, ...Object.values(this.#tiles).map(({ element }) => element)),
      make("section", { class: "lanes", "aria-label": "Lanes" }, make("div", { class: "lanes-grid" }, labels, canvas, uses), make("p", { class: "legend" }, kept.element, wasted.element, flight.element, line, pace)),
      empty,
      make("section", { "aria-label": "Nodes" }, make("h3", {}, "Nodes"), nodes),
      make("section", { "aria-label": "What has happened" }, make("h3", {}, "News"), news),
      totals,
    );
    this.#lanes = new Lanes(canvas, this.#tape, { kept: kept.colour, wasted: wasted.colour, flight: flight.colour, line });
  }

  #showLink(link) {
    if (link === "on") return;
    byId("health").dataset.health = link;
    setText(byId("health"), healthWords[link]);
  }

  #show(state) {
    if (!this.#history.add(state)) {
      this.#tape.clear();
      this.#spark.values = [];
    }
    byId("health").dataset.health = state.health;
    setText(byId("health"), healthWords[state.health] ?? state.health);
    byId("pipeline").classList.remove("untold");
    this.#showTiles(state);
    this.#showHops(state);
    this.#showNodes(state);
    this.#showNews(state);
    this.#tape.add(state, this.#lanes.head);
    if (state.tree) this.#lanes.addTree(state.tree.nodes, state.tree.sent);
    setText(this.#parts.pace, this.#tape.factor === 1 ? "real time" : `slowed ${this.#tape.factor.toLocaleString("en")} times`);
    this.#lanes.wake();
  }

  #showTiles(state) {
    const { speed, accept, tree, sessions } = this.#tiles;
    const rate = this.#history.tokensPerSecond(rateSpan);
    setText(speed.value, Number.isFinite(rate) && rate > 0 ? figure(rate) : "–");
    setText(accept.value, figure(this.#history.acceptLength()));
    setText(tree.value, state.tree ? String(state.tree.nodes) : "–");
    setText(tree.note, state.tree?.nodes ? `${state.tree.sent} in flight` : "");
    setText(sessions.value, String(state.sessions.length - state.waiting));
    setText(sessions.note, state.waiting ? `${state.waiting} waiting` : "");

    const values = this.#spark.values;
    values.push(Number.isFinite(rate) ? rate : 0);
    if (values.length > sparkPoints) values.shift();
    const most = Math.max(1, ...values);
    const first = sparkPoints - values.length;
    this.#spark.line.setAttribute("points", values.map((value, i) => `${first + i},${(19 - (17 * value) / most).toFixed(1)}`).join(" "));
  }

  #showHops(state) {
    const shape = state.hops.map((hop) => hop.name).join();
    if (shape !== this.#parts.shape) {
      this.#parts.shape = shape;
      this.#buildRows(state);
    }
    state.hops.forEach((hop, i) => {
      const row = this.#rows[i];
      const layers = hop.layers ? (hop.layers[1] - hop.layers[0] === 1 ? `layer ${hop.layers[0]} · ` : `layers ${hop.layers[0]}–${hop.layers[1] - 1} · `) : "";
      setText(row.place, layers + (hop.place === "here" ? "here" : shortName(hop.place)));
      row.place.title = hop.place;
      const use = this.#history.use(i, rateSpan);
      setText(row.busy, use ? percent(use.busy) : "–");
      row.busy.title = use ? `busy ${percent(use.busy)}: kept rows ${percent(use.kept)}, wasted rows ${percent(use.wasted)}` : "has not answered";
      row.kept.style.width = `${100 * (use?.kept ?? 0)}%`;
      row.wasted.style.width = `${100 * (use?.wasted ?? 0)}%`;
      const hasKv = hop.kv && hop.kv.slots > 0;
      setText(row.kv, hasKv ? `KV ${percent(hop.kv.used / hop.kv.slots)}` : "");
      row.kv.title = hasKv ? `${hop.kv.used} of ${hop.kv.slots} places in the KV cache are taken` : "";
    });
  }

  #buildRows(state) {
    this.#rows = state.hops.map((hop) => {
      const place = make("span", { class: "lane-place" });
      const busy = make("span", { class: "lane-busy" });
      const kv = make("span", { class: "lane-kv" });
      const kept = make("i", { class: "kept" });
      const wasted = make("i", { class: "wasted" });
      return { place, busy, kv, kept, wasted, name: hop.name };
    });
    const isLong = state.hops.length > 9;
    byId("pipeline").classList.toggle("many-lanes", isLong);
    this.#parts.labels.replaceChildren(...this.#rows.map((row) => make("li", {}, make("span", { class: "lane-name" }, row.name), row.place)));
    this.#parts.uses.replaceChildren(
      ...this.#rows.map((row) => make("li", {}, make("span", { class: "lane-figures" }, row.busy, row.kv), make("span", { class: "use", "aria-hidden": "true" }, row.kept, row.wasted))),
    );
    this.#lanes.setLanes(state.hops.map((hop) => hop.kind), isLong ? 34 : 46);
  }

  #showNodes(state) {
    const items = state.nodes.length ? state.nodes : [{ name: "this machine", state: "works", parts: state.hops.map((hop) => hop.name) }];
    const text = JSON.stringify(items);
    if (text === this.#parts.nodesText) return;
    this.#parts.nodesText = text;
    this.#parts.nodes.replaceChildren(
      ...items.map((node) =>
        make("li", { class: "node", data: { state: node.state }, title: node.name }, make("span", { class: "node-name" }, shortName(node.name)), make("span", { class: "node-state" }, node.state === "works" ? node.parts.join(", ") : node.state)),
      ),
    );
  }

  #showNews(state) {
    const items = state.news.slice(-6).reverse();
    const texts = items.map((item) => `${item.text}|${ago((state.at_us - item.at_us) / 1e6)}`);
    if (texts.join() !== this.#parts.newsText) {
      this.#parts.newsText = texts.join();
      this.#parts.news.replaceChildren(...items.map((item) => make("li", {}, make("span", {}, item.text), make("time", {}, ago((state.at_us - item.at_us) / 1e6)))));
      if (items.length === 0) this.#parts.news.append(make("li", { class: "small" }, "Nothing: no node has come or gone."));
    }
    const { totals } = state;
    const read = totals.prompt_tokens;
    setText(
      this.#parts.totals,
      [state.model, state.draft && `draft ${state.draft}`, state.mode, count(totals.requests, "request"), count(totals.tokens, "token"), read ? `${percent(totals.cached_tokens / read)} of prompts cached` : "", totals.recoveries ? `${count(totals.recoveries, "recovery", "recoveries")}, paused ${figure(totals.paused_us / 1e6)} s` : ""]
        .filter(Boolean)
        .join(" · "),
    );
  }
}
