/** Mouse and fingers on the map: lasso, pan, zoom, and what lies under the pointer. */
import { projector } from "./canvas.js";

const NEAR_PX = 10;
const WHEEL = 1.0018;

/**
 * @param {HTMLCanvasElement} canvas
 * @param {any} scene what `draw` draws; its view, lasso and hot point are set here
 * @param {{redraw: () => void, select: (polygon: number[][], isMore: boolean) => void, moved: () => void, zoomAt: (factor: number, x: number, y: number) => void, nearest: (x: number, y: number, within: number) => number}} does
 */
export function listenToPointer(canvas, scene, does) {
  /** Where the mouse, or each finger, is down. @type {Map<number, number[]>} */
  const down = new Map();
  let isPan = false;
  const at = (/** @type {MouseEvent} */ event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const back = (/** @type {number[]} */ [x, y]) => projector(canvas, scene.view).back(x, y);
  canvas.onpointerdown = (event) => {
    point(-1, 0, 0);
    down.set(event.pointerId, at(event));
    canvas.setPointerCapture(event.pointerId);
    // A second finger: what the first has begun was no lasso.
    isPan = event.shiftKey || event.button === 1 || down.size > 1;
    scene.lasso = isPan ? [] : [back(at(event))];
    event.preventDefault();
  };
  canvas.onpointermove = (event) => {
    if (!down.has(event.pointerId)) {
      const [x, y] = at(event);
      const [mapX, mapY] = back([x, y]);
      point(does.nearest(mapX, mapY, NEAR_PX / projector(canvas, scene.view).size), x, y);
    } else if (isPan) pan(event);
    else scene.lasso.push(back(at(event)));
    does.redraw();
  };
  canvas.onpointerup = (event) => end(event, true);
  canvas.onpointercancel = (event) => end(event, false);
  canvas.onpointerleave = () => point(-1, 0, 0);
  canvas.onwheel = (event) => {
    event.preventDefault();
    const [x, y] = back(at(event));
    does.zoomAt(WHEEL ** -event.deltaY, x, y);
  };

  /** What was between the fingers stays there: they pan, and two of them zoom. @param {PointerEvent} event */
  function pan(event) {
    const [middle, apart] = hold(down);
    const from = back(middle);
    down.set(event.pointerId, at(event));
    const [middleNow, apartNow] = hold(down);
    const to = back(middleNow);
    scene.view.x -= to[0] - from[0];
    scene.view.y -= to[1] - from[1];
    if (down.size > 1) does.zoomAt(apartNow / apart, from[0], from[1]);
  }

  /** @param {PointerEvent} event @param {boolean} isMeant */
  function end(event, isMeant) {
    const lasso = scene.lasso;
    scene.lasso = [];
    down.delete(event.pointerId);
    if (isPan) does.moved();
    else if (isMeant && lasso.length > 3) does.select(lasso, event.ctrlKey || event.metaKey);
    else if (isMeant && lasso.length) press(lasso[0]);
    does.redraw();
  }

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

/** The middle of what is down, and how far the first two are apart. @param {Map<number, number[]>} down @returns {[number[], number]} */
function hold(down) {
  const all = [...down.values()];
  const middle = [0, 1].map((axis) => all.reduce((sum, one) => sum + one[axis], 0) / all.length);
  const [one, other = one] = all;
  return [middle, Math.max(Math.hypot(one[0] - other[0], one[1] - other[1]), 1)];
}
