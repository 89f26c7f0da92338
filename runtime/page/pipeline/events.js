// Listens to the server's `GET /events` while somebody looks, and connects again when that breaks.

import { request } from "../base/api.js";
import { eventsOf } from "../base/sse.js";

const longestPause = 10000;
/** The server sends four events a second; silence for so long means that the connection is dead. */
const mostSilence = 5000;

export class Events {
  #onState;
  #onLink;
  #abort = null;
  #timer = 0;
  #pause = 500;

  /** `onState(state)`: an event; `onLink(word)`: "on", "off", "loading", or "key" if the server wants one. */
  constructor(onState, onLink) {
    this.#onState = onState;
    this.#onLink = onLink;
  }

  start() {
    if (this.#abort || this.#timer) return;
    this.#listen();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#abort?.abort();
    this.#abort = null;
  }

  restart() {
    this.stop();
    this.start();
  }

  async #listen() {
    const abort = new AbortController();
    this.#abort = abort;
    let watch = 0;
    let link = "off";
    const heard = () => {
      clearTimeout(watch);
      watch = setTimeout(() => abort.abort(), mostSilence);
    };
    try {
      heard();
      const response = await request("/events", { signal: abort.signal });
      for await (const { event, data } of eventsOf(response.body)) {
        if (abort !== this.#abort) return;
        heard();
        this.#pause = 500;
        this.#onLink("on");
        if (event === "state") this.#onState(JSON.parse(data));
      }
    } catch (error) {
      if (error.status === 401) link = "key";
      if (error.status === 503) link = "loading";
    } finally {
      clearTimeout(watch);
    }
    if (abort !== this.#abort) return;
    this.#abort = null;
    this.#onLink(link);
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#listen();
    }, this.#pause);
    this.#pause = Math.min(longestPause, this.#pause * 2);
  }
}
