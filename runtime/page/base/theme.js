// Dark or light: as the system has it, or as it was chosen here.

import * as storage from "./storage.js";

const key = "flowspec.theme";
const root = document.documentElement;

const isDark = () =>
  (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

/** Shows the other one. Where the system has that, its choice is followed again. */
export function switchTheme() {
  const wanted = isDark() ? "light" : "dark";
  delete root.dataset.theme;
  storage.remove(key);
  if ((wanted === "dark") !== isDark()) {
    root.dataset.theme = wanted;
    storage.write(key, wanted);
  }
}
