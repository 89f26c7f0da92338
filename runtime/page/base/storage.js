// localStorage that may be full, forbidden, or written to by others: then there is a copy in memory for as long
// as the tab is open, and `onTrouble` hears of it once.

const copy = new Map();
let trouble = null;
let tellTrouble = () => {};

export function onTrouble(listener) {
  tellTrouble = listener;
  if (trouble) listener(trouble);
}

function complain(error) {
  const kind = error.name === "QuotaExceededError" ? "full" : "forbidden";
  if (trouble === kind) return;
  trouble = kind;
  tellTrouble(kind);
}

export function read(key) {
  if (copy.has(key)) return copy.get(key);
  try {
    return localStorage.getItem(key);
  } catch (error) {
    complain(error);
    return null;
  }
}

export function write(key, text) {
  try {
    localStorage.setItem(key, text);
    copy.delete(key);
    if (trouble === "full") trouble = null;
  } catch (error) {
    copy.set(key, text);
    complain(error);
  }
}

export function remove(key) {
  copy.delete(key);
  try {
    localStorage.removeItem(key);
  } catch (error) {
    complain(error);
  }
}

/** All keys that begin so. */
export function keys(prefix) {
  const found = new Set([...copy.keys()].filter((key) => key.startsWith(prefix)));
  try {
    for (let i = 0; i < localStorage.length; ++i) {
      const key = localStorage.key(i);
      if (key.startsWith(prefix)) found.add(key);
    }
  } catch (error) {
    complain(error);
  }
  return [...found];
}

/** What JSON.parse makes of it, or null if there is none or it is no JSON. */
export function readJson(key) {
  try {
    return JSON.parse(read(key) ?? "null");
  } catch {
    return null;
  }
}

export const writeJson = (key, value) => write(key, JSON.stringify(value));
