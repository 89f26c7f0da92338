// Icons of strokes, 24 by 24.

const shapes = {
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  menu: "M4 7h16M4 12h16M4 17h10",
  sliders: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  contrast: "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M12 3v18M12 7l4.5-1M12 11h8M12 15h7.5M12 19l3.5.5",
  lanes: "M3 7h8M14 7h4M6 12h8M17 12h4M9 17h8",
  up: "M12 19V5M6 11l6-6l6 6",
  down: "M12 5v14M6 13l6 6l6-6",
  stop: "M7 7h10v10H7z",
  copy: "M9 9h10v11H9zM5 15V4h10",
  check: "M5 13l5 5L19 7",
  again: "M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6",
  pencil: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  bin: "M5 7h14M10 4h4M7 7l1 13h8l1-13M10 11v5M14 11v5",
};

const namespace = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(namespace, "path");
  path.setAttribute("d", shapes[name]);
  svg.append(path);
  return svg;
}

/** Puts its icon into every element that names one. */
export function fillIcons(root) {
  for (const element of root.querySelectorAll("[data-icon]")) element.prepend(icon(element.dataset.icon));
}
