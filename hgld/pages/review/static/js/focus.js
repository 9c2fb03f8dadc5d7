/** Where the focus is, and where it goes: the same row, the next open one, or the group's heading. */
import { onceWhole } from "./bench.js";
import { topLayer } from "./dialogs/layers.js";

/** @typedef {{group: string, qid: string, state: string, order: string[], inList: string}} Before */

/** @param {Element | null | undefined} row */
const qidOf = (row) => /** @type {HTMLElement | null} */ (row)?.dataset.qid ?? "";

/** The row that keys are about, in the topmost layer. @returns {HTMLElement | null} */
export function currentRow() {
  const row = document.activeElement?.closest(".member");
  if (row && topLayer().contains(row)) return /** @type {HTMLElement} */ (row);
  return topLayer().querySelector(".member.is-current");
}

/** @param {Element | null | undefined} row @param {boolean} [isSeen] whether it is scrolled into sight */
export function focusRow(row, isSeen = true) {
  if (!row) return false;
  for (const other of document.querySelectorAll(".member.is-current")) other.classList.remove("is-current");
  row.classList.add("is-current");
  const tick = /** @type {HTMLElement} */ (row.querySelector(".tick") ?? row);
  if (tick === row) tick.tabIndex = -1;
  if (isSeen) row.scrollIntoView({ block: "nearest" });
  tick.focus({ preventScroll: true });
  return true;
}

/** The heading where there is no row. @param {Element | null | undefined} row @param {boolean} [isSeen] whether the row is scrolled into sight */
export function focusOn(row, isSeen = false) {
  if (!focusRow(row, isSeen)) document.getElementById("h-group")?.focus({ preventScroll: true });
}

/** Goes a row on, or a line of the list where the focus is there. @param {number} by */
export function step(by) {
  const list = document.activeElement?.closest(".groups");
  if (list) {
    const links = [...list.querySelectorAll("a")];
    const next = links[links.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement)) + by];
    next?.focus();
    return;
  }
  const rows = [...topLayer().querySelectorAll(".member")];
  const here = rows.indexOf(/** @type {Element} */ (currentRow()));
  if (!rows.length) focusHead();
  else if (here < 0) focusRow(rows.find((row) => row.classList.contains("is-open")) ?? rows[0]);
  else if (here + by < rows.length) focusRow(rows[Math.max(here + by, 0)]);
  else if (topLayer().id === "bench") onceWhole(() => focusRow(rowAfter(by)));
}

/** The row that is so many further than the current one, or the last. @param {number} by */
function rowAfter(by) {
  const rows = [...topLayer().querySelectorAll(".member")];
  return rows[Math.min(rows.indexOf(/** @type {Element} */ (currentRow())) + by, rows.length - 1)];
}

/** Where no row is shown: the heading of the page, or what is asked for in a dialog. */
function focusHead() {
  const layer = topLayer();
  const places = ["#h-group, #h-fills", "input[type=search]", "button"].map((one) => /** @type {HTMLElement | null} */ (layer.querySelector(one)));
  places.find(Boolean)?.focus();
}

/** @returns {Before} */
export function remember() {
  const bench = document.getElementById("bench");
  const row = bench?.querySelector(".member:focus-within") ?? bench?.querySelector(".member.is-current");
  const rows = [...(bench?.querySelectorAll(".member") ?? [])].map(qidOf);
  return {
    group: bench?.dataset.group ?? "",
    qid: qidOf(row),
    state: stateOf(row),
    order: row ? rows.slice(rows.indexOf(qidOf(row))) : rows,
    inList: document.activeElement?.closest(".groups") ? document.activeElement.id : "",
  };
}

/** Before the rows are those of another group: to take the focused one away lays the page out. */
export function leaveRow() {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  if (focused?.closest("#work .member")) focused.blur();
}

/**
 * Comes last: what asks where things stand has the browser lay the page out, which it does once
 * where nothing is changed after it.
 * @param {Before} before
 * @param {{qid?: string, keep?: boolean}} want
 */
export function restore(before, want) {
  const bench = /** @type {HTMLElement} */ (document.getElementById("bench"));
  const moved = bench.dataset.group !== before.group;
  const scroller = document.getElementById("work-scroll");
  if (moved && scroller) scroller.scrollTop = 0;
  if (topLayer() === bench && !isTyping()) putFocus(before, want, moved);
  if (moved) document.querySelector(".group[aria-current]")?.scrollIntoView({ block: "nearest" });
}

/** @param {Before} before @param {{qid?: string, keep?: boolean}} want @param {boolean} moved */
function putFocus(before, want, moved) {
  if (before.inList && want.keep && !moved) {
    document.getElementById(before.inList)?.focus({ preventScroll: true });
    return;
  }
  const next = target(before, want, moved);
  // What comes by itself takes nobody from the top, where the steps for a first visit stand.
  const isSeen = isFirst(next) && (moved || (want.keep && !document.getElementById("work-scroll")?.scrollTop));
  focusOn(next, !isSeen);
}

/** @returns {Element | null} */
function target(/** @type {Before} */ before, /** @type {{qid?: string, keep?: boolean}} */ want, /** @type {boolean} */ moved) {
  const firstOpen = document.querySelector("#bench .member.is-open:not(.is-late)");
  if (want.qid) return document.getElementById(`m-${want.qid}`) ?? firstOpen;
  if (moved || !before.qid) return firstOpen;
  const same = document.getElementById(`m-${before.qid}`);
  // What others decide takes nobody off their row.
  if (same && (want.keep || stateOf(same) === before.state || stateOf(same) === "is-open")) return same;
  const following = before.order.map((qid) => document.getElementById(`m-${qid}`));
  return following.find((row) => row?.matches(".is-open:not(.is-late)")) ?? firstOpen;
}

/** The first row stands in sight at the top, and the head of the group with it. */
const isFirst = (/** @type {Element | null} */ row) => row && row === row.parentElement?.firstElementChild;

/** @param {Element | null | undefined} row */
const stateOf = (row) => ["is-open", "is-assigned", "is-ignored"].find((state) => row?.classList.contains(state)) ?? "";

const isTyping = () => document.activeElement?.matches("#bench input[type=search], #bench select") ?? false;
