/** The map of all classes: what is drawn, selected and listed. */
import { focusRow } from "../focus.js";
import { tell } from "../ticks.js";
import { openSheet } from "../views/sheet.js";
import { draw } from "./canvas.js";
import { fillList } from "./list.js";
import { listenToPointer } from "./pointer.js";
import { colourOf, fetchCloud, isInside, nearestFinder } from "./points.js";

const LIST_MS = 120;
const STEP = 1.6;
const FARTHEST = 1;
const NEAREST = 40;

const whole = () => ({ zoom: 1, x: 0.5, y: 0.5 });
/** @type {any} */
let scene = null;
/** @type {WeakSet<Element>} */
const heard = new WeakSet();
let timer = 0;
let frame = 0;

const get = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const canvas = () => /** @type {HTMLCanvasElement} */ (get("map-canvas"));

export function openMap() {
  scene = null;
  openSheet({ path: "/map", title: "Map of all classes", ready });
}

async function ready() {
  const cloud = await fetchCloud();
  if (!cloud || !canvas()) return; // another view was opened meanwhile
  const order = [...cloud.points.keys()].sort((one, other) => cloud.points[one].name - cloud.points[other].name);
  scene = { view: scene?.view ?? whole(), lit: scene?.lit ?? null, ...cloud, order, selected: new Set(), caught: new Set(), hot: "", lasso: [] };
  const nearest = nearestFinder(cloud.points);
  listenToPointer(canvas(), scene, { redraw, select, moved: relist, zoomAt, nearest });
  get("map-text").oninput = relist;
  get("map-rows").onchange = onTick;
  if (!heard.has(get("map-rows"))) hear();
  for (const button of get("map").querySelectorAll("[data-zoom]")) /** @type {HTMLElement} */ (button).onclick = () => zoomBy(/** @type {HTMLElement} */ (button).dataset.zoom ?? "all");
  fillLegend();
  list();
  redraw();
}

/** Once for each time the dialog is filled anew. */
function hear() {
  heard.add(get("map-rows"));
  get("map-rows").addEventListener("focusin", ({ target }) => light(/** @type {HTMLElement | null} */ (/** @type {Element} */ (target).closest(".member"))?.dataset.qid ?? ""));
  new ResizeObserver(redraw).observe(canvas());
}

function redraw() {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => scene && canvas() && draw(canvas(), scene));
}

function light(/** @type {string} */ qid) {
  scene.hot = qid;
  redraw();
}

function relist() {
  clearTimeout(timer);
  timer = setTimeout(list, LIST_MS);
}

/** What is selected, or was caught by the lasso; else what the text finds in the part that is seen. */
function list() {
  if (!scene || !document.getElementById("map-rows")) return;
  const text = /** @type {HTMLInputElement} */ (get("map-text")).value.trim().toLowerCase();
  const reach = 0.5 / scene.view.zoom + 0.02;
  const isSeen = (/** @type {any} */ point) => scene.view.zoom <= FARTHEST || (Math.abs(point.x - scene.view.x) < reach && Math.abs(point.y - scene.view.y) < reach);
  const isFound = (/** @type {any} */ point) => !text || point.label.toLowerCase().includes(text) || (scene.names[point.name] ?? "ignored").toLowerCase().includes(text);
  const isLit = (/** @type {any} */ point) => scene.lit === null || point.name === scene.lit;
  const found = scene.points.filter((/** @type {any} */ point) => scene.selected.has(point.qid) || scene.caught.has(point.qid) || (!scene.caught.size && isSeen(point) && isFound(point) && isLit(point)));
  const weight = (/** @type {any} */ point) => (scene.selected.has(point.qid) ? 1e9 : 0) + point.landmarks;
  found.sort((/** @type {any} */ one, /** @type {any} */ other) => weight(other) - weight(one));
  const here = /** @type {HTMLElement | null | undefined} */ (document.activeElement?.closest("#map-rows .member"))?.dataset.qid;
  fillList(found, scene.names, scene.sides, scene.selected);
  tell(get("map"));
  if (here) focusList(here);
}

/** The row of a class, else the first; where there is none, the text that finds none. */
function focusList(qid = "") {
  const rows = get("map-rows");
  if (!focusRow(rows.querySelector(`[data-qid="${CSS.escape(qid)}"]`) ?? rows.querySelector(".member"))) get("map-text").focus();
}

/**
 * A lasso ticks what is open; what is settled is listed with it, to be ticked by hand.
 * @param {number[][]} polygon none: the point under the pointer @param {boolean} isMore beside what is selected
 */
function select(polygon, isMore) {
  const { selected, caught, hot } = scene;
  if (!isMore) for (const set of [selected, caught]) set.clear();
  if (polygon.length) enclose(polygon);
  else if (selected.delete(hot)) caught.delete(hot);
  else for (const set of [selected, caught]) set.add(hot);
  list();
  focusList(polygon.length ? "" : hot);
  redraw();
}

function enclose(/** @type {number[][]} */ polygon) {
  for (const { qid, x, y, isOpen } of scene.points) {
    if (!isInside(x, y, polygon)) continue;
    scene.caught.add(qid);
    if (isOpen) scene.selected.add(qid);
  }
}

function onTick(/** @type {Event} */ event) {
  const tick = /** @type {HTMLInputElement} */ (event.target);
  if (tick.checked) scene.selected.add(tick.value);
  else scene.selected.delete(tick.value);
  redraw();
}

function zoomAt(/** @type {number} */ factor, /** @type {number} */ x, /** @type {number} */ y) {
  const view = scene.view;
  const zoom = Math.min(Math.max(view.zoom * factor, FARTHEST), NEAREST);
  const share = 1 - view.zoom / zoom;
  Object.assign(view, zoom === FARTHEST ? whole() : { zoom, x: view.x + (x - view.x) * share, y: view.y + (y - view.y) * share });
  relist();
  redraw();
}

/** By key: around the row in focus. */
function zoomBy(/** @type {string} */ how) {
  const row = /** @type {HTMLElement | null} */ (get("map-rows").querySelector(".is-current"));
  const at = scene.points.find((/** @type {any} */ point) => point.qid === row?.dataset.qid) ?? scene.view;
  if (how === "all") zoomAt(0, 0.5, 0.5);
  else zoomAt(how === "in" ? STEP : 1 / STEP, at.x, at.y);
}

/** The names on the map, most classes first; one that is pressed stands out. */
function fillLegend() {
  const counts = new Map();
  for (const { name } of scene.points) counts.set(name, (counts.get(name) ?? 0) + 1);
  const rows = [...counts].sort(([, one], [, other]) => other - one).map(([name, much]) => {
    const [line, button, swatch] = ["li", "button", "canvas"].map((tag) => document.createElement(tag));
    Object.assign(swatch, { width: 12, height: 12 });
    const paint = /** @type {CanvasRenderingContext2D} */ (/** @type {HTMLCanvasElement} */ (swatch).getContext("2d"));
    paint.fillStyle = colourOf(name);
    paint.fillRect(0, 0, 12, 12);
    Object.assign(button, { type: "button" });
    button.setAttribute("aria-pressed", String(scene.lit === name));
    button.append(swatch, `${scene.names[name] ?? "ignored"} (${much})`);
    button.onclick = () => {
      scene.lit = scene.lit === name ? null : name;
      fillLegend();
      list();
      redraw();
    };
    line.append(button);
    return line;
  });
  get("map-legend").replaceChildren(...rows);
}
