/**
 * The page's one big element: where it is, how it is fetched and morphed, and that one thing is
 * done at a time.
 */
import { putAway } from "./dialogs/layers.js";
import { currentRow, focusOn, leaveRow, remember, restore } from "./focus.js";
import { dropHeld } from "./keys/press.js";
import { retick } from "./ticks.js";
import { keepHidden } from "./views/pictures.js";

const ROWS = 200;
const LEAST_ROW_PX = 54;
const DRAWN_ROWS = 16; // of a group, in sight or not: members.css; others have no height of their own yet
const LEAST_HEAD_PX = 100; // of a group, above its rows
const [LEAST_NAME_PX, MOST_NAME_PX] = [28, 200];
const AWAY = "The server does not answer. What is decided is safe; this page waits for it.";
/** From when on something moves while a person waits: each of its frames takes time from the answer. */
const MOVES_MS = { "is-slow": 150, "is-scoring": 1000 };
/** @type {Map<string, number>} */
const moving = new Map();
let running = 0;
/** Ends when what was begun last has ended. @type {Promise<void>} */
let last = Promise.resolve();
/** @type {Set<() => void>} */
const whenIdle = new Set();

/** @returns {HTMLElement} */
export const bench = () => /** @type {HTMLElement} */ (document.getElementById("bench"));

let wanted = { group: bench().dataset.group ?? "", rows: Number(bench().dataset.rows) || ROWS };

/** How many rows there is room for: of a group that is opened these come first. */
let fit = 0;
/** How many, where the head of the group is scrolled away. */
let sight = 0;
let height = 0;
/** Of the rows that were shown in this window; 0: of none yet. */
let leastRow = 0;
/** Where nothing was changed since it was painted: else to ask for it would lay the page out. */
function measure() {
  height = window.innerHeight;
  const room = document.getElementById("work-scroll")?.clientHeight || height; // none where a phone shows another pane
  const rows = [...document.querySelectorAll("#work .member")].slice(0, DRAWN_ROWS);
  const heights = rows.map((row) => /** @type {HTMLElement} */ (row).offsetHeight);
  if (leastRow) heights.push(leastRow);
  leastRow = heights.length ? Math.max(Math.min(...heights), LEAST_ROW_PX) : 0;
  const one = leastRow || LEAST_ROW_PX;
  fit = Math.ceil(Math.max(room - LEAST_HEAD_PX, one) / one);
  sight = Math.ceil(room / one) + 1; // at both ends one may be cut
}
measure();
window.addEventListener("resize", () => {
  leastRow = 0;
  measure();
});

/** How far the taxonomy is scrolled. */
let scrolled = 0;
document.addEventListener("scroll", ({ target }) => target instanceof Element && target.id === "names-scroll" && (scrolled = target.scrollTop), true);

/** Places of the names that may be in sight, whether each takes one line or many. */
const namesInSight = () => ({ from: String(Math.floor(scrolled / MOST_NAME_PX)), to: String(Math.ceil((scrolled + height) / LEAST_NAME_PX)) });

/** What the page shows, as every request says it. */
export function place() {
  const { group, query, show, line, scored, have } = bench().dataset;
  const rows = String(wanted.group === group ? wanted.rows : ROWS);
  const on = /** @type {HTMLElement | null} */ (bench().querySelector(".member.is-current"))?.dataset.qid ?? "";
  return { g: group ?? "", q: query ?? "", show: show ?? "all", rows, seen: line ?? "0", scored: scored ?? "0", have: have ?? "", at: group ?? "", fit: String(fit), sight: String(sight), on, ...namesInSight() };
}

export const isBusy = () => running > 0;

/** Calls back when nothing runs any more; at once where nothing does. */
export function onceIdle(/** @type {() => void} */ work) {
  if (running) whenIdle.add(work);
  else work();
}

/** Has a bar, or a dot, move when it has taken long; `false` stops it. @param {keyof MOVES_MS} what @param {boolean} takesLong */
function moveLater(what, takesLong) {
  clearTimeout(moving.get(what));
  document.documentElement.classList.remove(what);
  if (takesLong) moving.set(what, setTimeout(() => document.documentElement.classList.add(what), MOVES_MS[what]));
}
const moveDot = () => moveLater("is-scoring", Boolean(bench().querySelector(".scoring")));
moveDot();

/** Resolves when what was changed has been painted, or would have been in a hidden tab. */
export const painted = () =>
  new Promise((done) => {
    const hidden = setTimeout(done, 120);
    requestAnimationFrame(() => setTimeout(() => (clearTimeout(hidden), done(undefined))));
  });

/**
 * Runs work of which there may be only one; what is pressed meanwhile waits in `keys/press.js`.
 * @template T
 * @param {() => Promise<T>} work
 * @param {() => Promise<unknown>} seen what ends when its result has been seen
 */
export async function alone(work, seen = painted) {
  refreshing?.stop.abort();
  running += 1;
  bench().setAttribute("aria-busy", "true");
  if (running === 1) moveLater("is-slow", true);
  const before = running > 1 ? last : null;
  /** @type {(_: void) => void} */
  let end = () => {};
  last = new Promise((done) => (end = done));
  if (before) await before; // else the request goes out at once
  try {
    return await work();
  } finally {
    await seen();
    running -= 1;
    const row = currentRow();
    // One whose own work waits here stays. The browser puts the focus where it was before the dialog.
    if (!running && putAway()) focusOn(row);
    end();
    if (!running) {
      bench().removeAttribute("aria-busy");
      moveLater("is-slow", false);
      const waiting = [...whenIdle];
      whenIdle.clear();
      for (const next of waiting) next();
      if (!running) document.dispatchEvent(new Event("bench-idle"));
    }
  }
}

/**
 * Morphs the page into what the server wrote, and puts the focus right.
 * @param {string} html
 * @param {{qid?: string, keep?: boolean, push?: boolean}} [want] the class to stand on; whether this
 *   is no action of the person's; whether the browser's Back button leads here
 */
export async function showBench(html, want = {}) {
  const before = remember();
  const said = want.keep ? document.getElementById("said") : null;
  const kept = said && { className: said.className, nodes: [...said.childNodes] };
  await window.htmx.swap({ text: html, target: "#bench", swap: "outerMorph", sourceElement: document.body });
  // A line that was thought to be here is not: all of it is fetched anew.
  if (bench().querySelector("[data-same], [data-late]")) location.reload();
  if (running) bench().setAttribute("aria-busy", "true");
  keepSaid(kept);
  moveDot();
  const hasMoved = before.group !== bench().dataset.group;
  if (want.keep && hasMoved) dropHeld(); // others took the group away: what was pressed was about that one
  retick(hasMoved);
  restore(before, want);
  // The picture comes first: with another address the browser makes the page's icon anew.
  const at = backs;
  painted().then(() => at === backs && keepUrl(want.push ?? false));
}

// A line that is as it was comes as an empty element with its id: what stands here stays. Of a list
// of the same lines in the same order only those come that are others. A row out of sight that is
// another comes later: until then it counts as none that is open.
window.htmx.registerExtension("same", {
  htmx_before_morph_node(/** @type {Element} */ _, /** @type {{oldNode: Node, newNode: Node}} */ { oldNode, newNode }) {
    if (!(newNode instanceof HTMLElement)) return true;
    keepHidden(oldNode, newNode);
    if (newNode.id === "bench" && newNode.dataset.group !== bench().dataset.group) leaveRow();
    const { some, same, late } = newNode.dataset;
    if (some !== undefined) replaceLines(newNode);
    if (late !== undefined && oldNode instanceof HTMLElement) oldNode.classList.add("is-late");
    return (some ?? same ?? late) === undefined;
  },
});

/**
 * Has each line take over what the one with its id has become; one that is not here is fetched with
 * all. The element stays: of a new one the browser asks whether it is in sight, and lays out twice.
 */
function replaceLines(/** @type {HTMLElement} */ list) {
  for (const line of list.children) {
    const here = document.getElementById(line.id);
    if (!here) return location.reload();
    for (const { name, value } of line.attributes) here.setAttribute(name, value);
    here.replaceChildren(...line.childNodes);
  }
}

/** What others did says nothing of what this person did last: that stays. */
function keepSaid(/** @type {{className: string, nodes: Node[]} | null} */ kept) {
  const said = document.getElementById("said");
  if (!said || !kept || !kept.nodes.length || /said-/.test(said.className)) return;
  said.className = kept.className;
  said.replaceChildren(...kept.nodes);
}

// Who goes back before an address is kept has left it: the one gone back to stays as it is.
let backs = 0;
window.addEventListener("popstate", () => (backs += 1));

function keepUrl(/** @type {boolean} */ push) {
  const { g, q, show } = place();
  const url = `/?${new URLSearchParams({ g, q, show })}`;
  if (push) history.pushState({}, "", url);
  else if (url !== location.pathname + location.search) history.replaceState({}, "", url);
}
// The browser's Back button may load the first page anew: its address, too, says what it shows.
if (!location.search) painted().then(() => keepUrl(false));

/**
 * Reads what the server has; nothing where it does not answer, which the page says.
 * @param {string} path
 * @returns {Promise<Response | null>}
 */
export async function read(path) {
  try {
    return await fetch(path);
  } catch {
    say(AWAY);
    return null;
  }
}

/**
 * Fetches the page for a query such as `?g=c12` and shows it.
 * @param {string} query
 * @param {{qid?: string, keep?: boolean, push?: boolean}} [want]
 */
export function load(query, want) {
  return alone(async () => {
    const asked = new URLSearchParams(query);
    if (asked.has("rows")) wanted = { group: asked.get("g") ?? "", rows: Number(asked.get("rows")) };
    const { have, at, fit } = place();
    asked.set("have", have);
    // A class that is looked for may stand below the first rows.
    if (!want?.qid) {
      asked.set("at", at);
      asked.set("fit", fit);
    }
    const html = await fetchBench(asked);
    if (!html) return;
    await showBench(html, want);
    await showLate();
  });
}

/** How many rows of the open group are to come. */
const rowsToCome = () => Number(document.getElementById("work")?.dataset.coming);

/** Whether of a group that was not shown yet what is in sight has come alone. */
export const isComing = () => rowsToCome() > 0 || document.querySelector("#pane-names[data-coming]") !== null;

/** Of many rows that changed those in sight came: shows the others, before anything is decided on them. */
export async function showLate() {
  if (Number(document.getElementById("work")?.dataset.behind)) await showAll();
}

/** Shows all of the open group; resolves to whether the server has answered. */
async function showAll() {
  await painted();
  measure();
  const html = await fetchBench(new URLSearchParams(place()));
  if (html) await showBench(html, { keep: true });
  return html !== "";
}

/** Brings what is to come of the open group, unless the person does something first. */
export function bringRest() {
  measure();
  return refresh();
}

/** Does what is about rows that may be to come when they are there; at once where they are. @param {() => void} work */
export function onceWhole(work) {
  if (!rowsToCome()) return work();
  return alone(async () => (await showAll()) && work(), atOnce);
}

/** @param {URLSearchParams} asked @param {AbortSignal} [signal] */
async function fetchBench(asked, signal) {
  try {
    const response = await fetch(`/bench?${asked}`, { headers: { Accept: "text/html" }, signal });
    if (response.ok) return await response.text();
    say(`The server could not show that (${response.status}). Reload the page.`);
  } catch {
    if (!signal?.aborted) say(AWAY);
  }
  return "";
}

/** @type {{stop: AbortController, done: Promise<boolean>} | null} */
let refreshing = null;

/** A key that meets what others did was pressed before it came: to wait for its picture shows nobody more, and takes 30 ms. */
const atOnce = () => Promise.resolve();

/**
 * The same place again, as it is now; the focus stays. What a person does meanwhile goes first.
 * @returns {Promise<boolean>} whether it was not given up for that
 */
export function refresh() {
  if (refreshing) return refreshing.done;
  const stop = new AbortController();
  const { have } = place();
  const done = fetchBench(new URLSearchParams(place()), stop.signal).then(async (html) => {
    refreshing = null;
    if (html && !stop.signal.aborted && bench().dataset.have === have) await alone(() => showBench(html, { keep: true }), atOnce);
    return !stop.signal.aborted;
  });
  refreshing = { stop, done };
  return done;
}

/** Says a sentence in the status bar, and so to a screen reader. */
export function say(/** @type {string} */ text) {
  const said = document.getElementById("said");
  if (said) said.textContent = text;
}
