// Figures as people read them.

/** 0.31, 4.2, 31.4, 2128: three figures are enough. */
export function figure(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toString();
  return value.toFixed(size >= 10 ? 1 : 2);
}

export const percent = (share) => (Number.isFinite(share) ? `${Math.round(share * 100)}\u202f%` : "–");

export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

export function seconds(value) {
  return value < 0.095 ? `${Math.round(value * 1000)} ms` : `${figure(value)} s`;
}

/** "just now", "4 min ago". */
export function ago(value) {
  if (value < 10) return "just now";
  if (value < 60) return `${Math.round(value)} s ago`;
  if (value < 3600) return `${Math.round(value / 60)} min ago`;
  return `${Math.round(value / 3600)} h ago`;
}

/** "n1" of "n1 (10.0.0.1:7341)". */
export const shortName = (name) => name.replace(/ \([^()]*\)$/, "");
