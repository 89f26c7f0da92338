// The server's API: the key, errors as the server words them, and streams.

import { eventsOf } from "./sse.js";
import * as storage from "./storage.js";

/** What went wrong, in a sentence for people. */
export class ApiFailure extends Error {
  constructor(message, { status = 0, code = null } = {}) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const keyName = "flowspec.key";
let key = null;

export function apiKey() {
  if (key === null) {
    try {
      key = sessionStorage.getItem(keyName) ?? storage.read(keyName) ?? "";
    } catch {
      key = storage.read(keyName) ?? "";
    }
  }
  return key;
}

export const isKeyKept = () => storage.read(keyName) !== null;

export function setApiKey(text, isKept) {
  key = text.trim();
  storage.remove(keyName);
  try {
    sessionStorage.removeItem(keyName);
    if (key && !isKept) sessionStorage.setItem(keyName, key);
  } catch {
    // Then it is known until the page is left.
  }
  if (key && isKept) storage.write(keyName, key);
}

function headers(body) {
  const list = {};
  if (body !== undefined) list["Content-Type"] = "application/json";
  // A header may not have other characters, and no key has.
  if (apiKey()) list.Authorization = `Bearer ${apiKey().replace(/[^\x21-\x7e]/g, "")}`;
  return list;
}

async function failureOf(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Not from this server, or cut off.
  }
  let message = error.message || `The server answers with HTTP status ${response.status}.`;
  const wait = Number(response.headers.get("Retry-After"));
  if (wait > 0) message += ` Try again in ${wait} s.`;
  return new ApiFailure(message, { status: response.status, code: error.code ?? null });
}

/** The response, if its status is one of success. Throws ApiFailure; AbortError if `signal` says so. */
export async function request(path, { body, signal } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers: headers(body),
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiFailure("The server cannot be reached. Is it still running?");
  }
  if (!response.ok) throw await failureOf(response);
  return response;
}

/** The chunks of a streamed answer. Throws as `request`, and ApiFailure if the answer is cut off. */
export async function* chatChunks(body, signal) {
  const response = await request("/v1/chat/completions", { body, signal });
  try {
    for await (const { data } of eventsOf(response.body)) {
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new ApiFailure(chunk.error.message, { code: chunk.error.code ?? null });
      yield chunk;
    }
  } catch (error) {
    if (error instanceof ApiFailure || error.name === "AbortError") throw error;
    throw new ApiFailure("The connection to the server broke while it was answering.");
  }
  throw new ApiFailure("The server closed the connection before the answer was complete.");
}

/** The name of the model that the server has. */
export async function modelName() {
  const list = await (await request("/v1/models")).json();
  return list.data?.[0]?.id ?? "";
}
