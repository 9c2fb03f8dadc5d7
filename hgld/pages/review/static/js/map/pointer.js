/** Mouse and finger on the map: lasso, pan, zoom, and what lies under the pointer. */
import { projector } from "./canvas.js";

const NEAR_PX = 10;
const WHEEL = 1.0018;

/**
 * @param {HTMLCanvasElement} canvas
 * @param {any} scene what `draw` draws; its view, lasso and hot point are set here
 * @param {{redraw: () => void, select: (polygon: number[][], isMore: boolean) => void, moved: () => void, zoomAt: (factor: number, x: number, y: number) => void, nearest: (x: number, y: number, within: number) => number}} does
 */
export function listenToPointer(canvas, scene, does) {
  /** @type {{x: number, y: number, pan: boolean} | null} */
  let drag = null;
  const at = (/** @type {MouseEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.onpointerdown = (event) => {
    const [x, y] = at(event);
    point(-1, 0, 0);
    drag = { x, y, pan: event.shiftKey || event.button === 1 };
    canvas.setPointerCapture(event.pointerId);
    scene.lasso = drag.pan ? [] : [projector(canvas, scene.view).back(x, y)];
    event.preventDefault();
  };
  canvas.onpointermove = (event) => {
    const [x, y] = at(event);
    const { back, size } = projector(canvas, scene.view);
    if (!drag) {
      const [mapX, mapY] = back(x, y);
      point(does.nearest(mapX, mapY, NEAR_PX / size), x, y);
    } else if (drag.pan) {
      const [from, to] = [back(drag.x, drag.y), back(x, y)];
      scene.view.x -= to[0] - from[0];
      scene.view.y -= to[1] - from[1];
      [drag.x, drag.y] = [x, y];
    } else scene.lasso.push(back(x, y));
    does.redraw();
  };
  canvas.onpointerup = (event) => {
    const lasso = scene.lasso;
    scene.lasso = [];
    if (drag?.pan) does.moved();
    else if (lasso.length > 3) does.select(lasso, event.ctrlKey || event.metaKey);
    else if (lasso.length) press(lasso[0]);
    drag = null;
    does.redraw();
  };
  canvas.onpointerleave = () => point(-1, 0, 0);
  canvas.onwheel = (event) => {
    event.preventDefault();
    const [x, y] = projector(canvas, scene.view).back(.../** @type {[number, number]} */ (at(event)));
    does.zoomAt(WHEEL ** -event.deltaY, x, y);
  };

  /** A click is about the point under it. */
  function press(/** @type {number[]} */ [x, y]) {
    const found = scene.points[does.nearest(x, y, NEAR_PX / projector(canvas, scene.view).size)];
    if (!found) return;
    scene.hot = found.qid;
    does.select([], true);
  }

  /** Says what lies there. */
  function point(/** @type {number} */ index, /** @type {number} */ x, /** @type {number} */ y) {
    const label = /** @type {HTMLElement} */ (document.getElementById("map-label"));
    const found = scene.points[index];
    scene.hot = found?.qid ?? "";
    label.hidden = !found;
    if (!found) return;
    label.textContent = `${found.label}: ${scene.names[found.name] ?? "ignored"}${found.isOpen ? "?" : ""}`;
    const left = Math.min(x + 14, canvas.clientWidth - label.offsetWidth - 8);
    const top = Math.min(y + 14, canvas.clientHeight - label.offsetHeight - 8);
    label.style.translate = `${Math.max(left, 4)}px ${Math.max(top, 4)}px`;
  }
}
