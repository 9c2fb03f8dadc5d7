/** The points of the map, their colours, and which lie where. */
import { read } from "../bench.js";

/** @typedef {{qid: string, label: string, x: number, y: number, name: number, isOpen: boolean, landmarks: number, group: string}} Point */
/** @typedef {{points: Point[], names: string[], sides: string[]}} Cloud */

const GOLDEN_ANGLE = 137.508;
const CELLS = 48;

/** @returns {Promise<Cloud | null>} */
export async function fetchCloud() {
  const response = await read("/map.json");
  if (!response?.ok) return null;
  const { names, sides, groups, points } = await response.json();
  return {
    names,
    sides,
    points: points.map((/** @type {any[]} */ [qid, label, x, y, name, open, landmarks, group]) => ({ qid, label, x, y, name, isOpen: Boolean(open), landmarks, group: groups[group] })),
  };
}

/** A colour for each name, far from that of its neighbours in the list; grey for what is ignored. */
export function colourOf(/** @type {number} */ name) {
  const isDark = document.documentElement.dataset.theme === "dark";
  if (name < 0) return isDark ? "hsl(0 0% 50%)" : "hsl(0 0% 62%)";
  const [saturation, lightness] = isDark ? [62, 62 + (name % 3) * 5] : [64, 38 + (name % 3) * 7];
  return `hsl(${(name * GOLDEN_ANGLE) % 360} ${saturation}% ${lightness}%)`;
}

/** Finds the nearest point of a place, without a look at all. @param {Point[]} points */
export function nearestFinder(points) {
  /** @type {number[][]} */
  const cells = Array.from({ length: CELLS * CELLS }, () => []);
  const cell = (/** @type {number} */ at) => Math.min(CELLS - 1, Math.max(0, Math.floor(at * CELLS)));
  for (const [index, { x, y }] of points.entries()) cells[cell(y) * CELLS + cell(x)].push(index);
  return (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ within) => {
    let best = -1;
    let least = within * within;
    for (let row = cell(y - within); row <= cell(y + within); row += 1)
      for (let column = cell(x - within); column <= cell(x + within); column += 1)
        for (const index of cells[row * CELLS + column]) {
          const distance = (points[index].x - x) ** 2 + (points[index].y - y) ** 2;
          if (distance <= least) [best, least] = [index, distance];
        }
    return best;
  };
}

/** Whether a point lies in a polygon: how often a ray to the right crosses its edges. */
export function isInside(/** @type {number} */ x, /** @type {number} */ y, /** @type {number[][]} */ polygon) {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [[xi, yi], [xj, yj]] = [polygon[i], polygon[j]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}
