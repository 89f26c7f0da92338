// Server-sent events of a response's body. EventSource cannot send the header with the API key.

/**
 * Splits text that comes in pieces into events {event, data}. Comments and fields that are not used are skipped.
 */
export class EventSplitter {
  #rest = "";
  #event = "message";
  #data = [];

  /** The events that are complete with this piece. */
  push(text) {
    const events = [];
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length > 0) events.push({ event: this.#event, data: this.#data.join("\n") });
        this.#event = "message";
        this.#data = [];
      } else {
        this.#take(line);
      }
    }
    return events;
  }

  #take(line) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
  }
}

/** The events of a ReadableStream of bytes, as they come. */
export async function* eventsOf(body) {
  const splitter = new EventSplitter();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* splitter.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    // Whoever stops listening ends the request.
    reader.cancel().catch(() => {});
  }
}
