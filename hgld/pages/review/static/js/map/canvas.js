/** Draws the points; where they are on the canvas, and back. */
import { colourOf } from "./points.js";

const MARGIN = 24;

/** @typedef {{zoom: number, x: number, y: number}} View the middle, 0 to 1, and how near it is */

/** @param {HTMLCanvasElement} canvas @param {View} view */
export function projector(canvas, view) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const size = Math.max(Math.min(width, height) - 2 * MARGIN, 1) * view.zoom;
  const stretch = Math.max(Math.min(width / Math.max(height, 1), 1.8), 0.6);
  return {
    size,
    out: (/** @type {number} */ x, /** @type {number} */ y) => [width / 2 + (x - view.x) * size * stretch, height / 2 + (y - view.y) * size],
    back: (/** @type {number} */ px, /** @type {number} */ py) => [(px - width / 2) / size / stretch + view.x, (py - height / 2) / size + view.y],
  };
}

/** The larger, the more landmarks; nearer, all grow a little. */
const radius = (/** @type {number} */ landmarks, /** @type {number} */ zoom) => Math.min(2 + Math.log10(landmarks + 1), 5) * Math.min(0.6 + zoom * 0.4, 2);

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{points: import("./points.js").Point[], order: number[], view: View, selected: Set<string>, lit: number | null, hot: string, lasso: number[][]}} scene
 */
export function draw(canvas, scene) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  const paint = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  paint.setTransform(scale, 0, 0, scale, 0, 0);
  paint.clearRect(0, 0, width, height);
  const { out } = projector(canvas, scene.view);
  let name = NaN;
  // `order` goes by name, so that the colour is set once for each.
  for (const index of scene.order) {
    const point = scene.points[index];
    const [x, y] = out(point.x, point.y);
    if (x < -8 || y < -8 || x > width + 8 || y > height + 8) continue;
    if (point.name !== name) paint.fillStyle = colourOf((name = point.name));
    const half = radius(point.landmarks, scene.view.zoom);
    paint.globalAlpha = scene.lit !== null && scene.lit !== name ? 0.08 : point.isOpen ? 0.5 : 1;
    paint.fillRect(x - half, y - half, 2 * half, 2 * half);
  }
  paint.globalAlpha = 1;
  ring(paint, scene, out);
  if (scene.lasso.length > 1) outline(paint, scene.lasso.map(([x, y]) => out(x, y)));
}

/** What is selected, and what the pointer or the list is on. */
function ring(/** @type {CanvasRenderingContext2D} */ paint, /** @type {Parameters<typeof draw>[1]} */ scene, /** @type {(x: number, y: number) => number[]} */ out) {
  paint.strokeStyle = getComputedStyle(paint.canvas).color;
  for (const point of scene.points) {
    const isHot = point.qid === scene.hot;
    if (!isHot && !scene.selected.has(point.qid)) continue;
    const [x, y] = out(point.x, point.y);
    const half = radius(point.landmarks, scene.view.zoom) + (isHot ? 4 : 1.5);
    paint.lineWidth = isHot ? 2.5 : 1;
    paint.strokeRect(x - half, y - half, 2 * half, 2 * half);
  }
}

function outline(/** @type {CanvasRenderingContext2D} */ paint, /** @type {number[][]} */ corners) {
  paint.beginPath();
  for (const [x, y] of corners) paint.lineTo(x, y);
  paint.closePath();
  paint.lineWidth = 1.5;
  paint.setLineDash([5, 4]);
  paint.stroke();
  paint.globalAlpha = 0.08;
  paint.fillStyle = paint.strokeStyle;
  paint.fill();
  paint.globalAlpha = 1;
  paint.setLineDash([]);
}
