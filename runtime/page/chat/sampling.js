// Options of requests: what there is, within which bounds, and what was chosen.

import * as storage from "../base/storage.js";

const key = "flowspec.sampling";

/** Names are those of the API. `step: 1` means whole numbers. */
export const samplingOptions = [
  { name: "temperature", label: "Temperature", least: 0, most: 2, step: 0.05, hint: "0 takes the likeliest token" },
  { name: "max_tokens", label: "Most tokens", least: 1, most: 1000000, step: 1, hint: "of an answer" },
  { name: "top_p", label: "Top p", least: 0.001, most: 1, step: 0.01, hint: "1: all tokens" },
  { name: "top_k", label: "Top k", least: 0, most: 1000000, step: 1, hint: "0: all tokens" },
  { name: "min_p", label: "Min p", least: 0, most: 1, step: 0.01, hint: "0: all tokens" },
  { name: "seed", label: "Seed", least: 0, most: Number.MAX_SAFE_INTEGER, step: 1, hint: "whole number" },
  { name: "repetition_penalty", label: "Repetition", least: 0.001, most: 100, step: 0.05, hint: "1: no penalty" },
  { name: "frequency_penalty", label: "Frequency", least: -2, most: 2, step: 0.1, hint: "0: no penalty" },
  { name: "presence_penalty", label: "Presence", least: -2, most: 2, step: 0.1, hint: "0: no penalty" },
];

/** The number that a text means, or null if it is none within the bounds. */
export function parseOption(option, text) {
  if (text.trim() === "") return null;
  const value = Number(text);
  if (!Number.isFinite(value) || value < option.least || value > option.most) return null;
  return option.step === 1 && !Number.isInteger(value) ? null : value;
}

/** {name: number} of the options that were chosen. */
export function chosenOptions() {
  const stored = storage.readJson(key);
  const chosen = {};
  for (const option of samplingOptions) {
    const value = stored?.[option.name];
    if (typeof value === "number" && parseOption(option, String(value)) !== null) chosen[option.name] = value;
  }
  return chosen;
}

export const keepOptions = (chosen) => storage.writeJson(key, chosen);
