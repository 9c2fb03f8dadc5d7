/** How far the review is, over time (uPlot), and what the taxonomy is made of (a treemap). */
import { read } from "../bench.js";
import { number } from "../ticks.js";
import { openSheet } from "./sheet.js";
import { drawTree } from "./treemap.js";

const SHORT_S = 600; // then ticks of the time axis stand less than a minute apart

/** What a colour of tokens.css is now: the variable itself tells that of light and that of dark. */
function colour(/** @type {string} */ name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** @param {HTMLElement} into @param {number[][]} rows */
function drawPlot(into, rows) {
  const span = rows.length ? rows[rows.length - 1][0] - rows[0][0] : 0;
  if (!span) {
    into.textContent = "A line over time needs decisions of two moments or more.";
    return;
  }
  const seconds = /** @type {const} */ (span < SHORT_S ? { second: "2-digit" } : {});
  const clock = (/** @type {unknown} */ _u, /** @type {number[]} */ times) => times.map((time) => new Date(1000 * time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", ...seconds, hour12: false }));
  const numbers = (/** @type {unknown} */ _u, /** @type {number[]} */ values) => values.map(number);
  const range = (/** @type {unknown} */ _u, /** @type {number} */ _least, /** @type {number} */ most) => [0, most || 1];
  const axis = { stroke: colour("--ink-2"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
  const line = (/** @type {string} */ label, /** @type {string} */ name, /** @type {string} */ scale) => ({ label, stroke: colour(name), width: 2, scale, points: { show: false }, paths: window.uPlot.paths.stepped({ align: 1 }) });
  const options = {
    width: into.clientWidth,
    height: 190,
    cursor: { y: false },
    scales: { classes: { range }, landmarks: { range } },
    axes: [{ ...axis, values: clock }, { ...axis, values: numbers, scale: "classes", size: 64 }, { ...axis, values: numbers, scale: "landmarks", side: 1, size: 72, grid: { show: false } }],
    legend: { live: false },
    series: [{ label: "Time" }, line("Classes decided", "--bar", "classes"), line("Landmarks settled", "--human", "landmarks")],
  };
  new window.uPlot(options, [0, 1, 2].map((column) => rows.map((row) => row[column])), into);
}

export function openProgress() {
  openSheet({ path: "", title: "Progress and taxonomy", ready: fillProgress });
}

async function fillProgress(/** @type {HTMLElement} */ body) {
  const view = document.createElement("div");
  view.className = "progress-view";
  const plot = document.createElement("div");
  plot.className = "plot";
  const tree = document.createElement("div");
  tree.className = "tree";
  view.append(plot, tree);
  body.replaceChildren(view);
  const response = await read("/progress.json");
  if (response?.ok) drawPlot(plot, await response.json());
  new ResizeObserver(() => drawTree(tree)).observe(tree);
}
