// Small helpers for the document.

/** The element with this id, which index.html has. */
export const byId = (id) => document.getElementById(id);

/**
 * A new element. `props` are set as properties, except `class`, `data` and names with a hyphen or `role`, which
 * become attributes; those that begin with "on" are listeners. Children are nodes or texts; null is left out.
 */
export function make(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Sets the text only where it is another one, so that nothing is laid out again for nothing. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
