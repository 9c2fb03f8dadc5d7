/** Guesses for landmarks that no class gives a label: groups of them are accepted or refused. */
import { alone, isBusy, onceIdle, say } from "../bench.js";
import { openSay, topLayer } from "../dialogs/layers.js";
import { currentRow, focusRow, step } from "../focus.js";
import { isComposing } from "../keys/composing.js";
import { dropHeld } from "../keys/press.js";
import { NOTHING, tell } from "../ticks.js";
import { ask } from "../write.js";
import { openSheet, refreshSheet, showInSheet } from "./sheet.js";

/** @typedef {Record<string, string>} Fields */

const form = () => /** @type {HTMLFormElement | null} */ (document.querySelector("#sheet[open] #fills"));

/** What is shown, but for some of it. @param {Fields} other */
function place(other = {}) {
  const { name = "", group = "", order = "", show = "", rows = "60" } = form()?.dataset ?? {};
  return new URLSearchParams({ name, group, order, show, rows, ...other });
}

export const openFills = () => openSheet({ path: "/fills", title: "Fills", ready: keepInSight });

/** The open group and its super-category, of long lists. */
function keepInSight() {
  for (const button of document.querySelectorAll("#fills nav [aria-current]")) button.scrollIntoView({ block: "nearest" });
}

/** The first guess has the focus: Enter is about the group then, and no button. */
function focusFirst() {
  if (!focusRow(form()?.querySelector(".member"))) document.getElementById("h-fills")?.focus();
  const rows = document.getElementById("fills-rows");
  if (rows) rows.scrollTop = 0;
}

/** What was left out of what is done is ticked again, to be the next thing done. */
function tickAll() {
  for (const tick of form()?.querySelectorAll(".tick") ?? []) /** @type {HTMLInputElement} */ (tick).checked = true;
  tell(form());
}

/** @returns {HTMLElement[]} */
const rowsOf = () => [...(form()?.querySelectorAll(".member") ?? [])].map((row) => /** @type {HTMLElement} */ (row));

/**
 * Shows what somebody said meanwhile, where the guesses are what is looked at. The focus stays, or
 * goes on from a row that is gone, and what is unticked stays so.
 * @param {number} line the last of the log
 * @param {string} words what was done, and by whom; empty where it was this person
 * @returns {Promise<void> | void}
 */
export function catchUpFills(line, words) {
  if (topLayer().id !== "sheet" || line <= Number(form()?.dataset.line ?? line)) return;
  if (isBusy()) return onceIdle(() => catchUpFills(line, words));
  return alone(async () => {
    const before = rowsOf().map((row) => row.id);
    const off = new Set([...(form()?.querySelectorAll("input:not(:checked)") ?? [])].map((box) => /** @type {HTMLInputElement} */ (box).value + box.id));
    const here = before.indexOf(document.activeElement?.closest("#fills .member")?.id ?? "");
    const said = document.getElementById("fills-said")?.textContent ?? "";
    await refreshSheet(`/fills?${place()}`);
    if (!form()) return;
    for (const box of form()?.querySelectorAll("input") ?? []) box.checked = !off.has(box.value + box.id);
    const near = here < 0 ? [] : [...before.slice(here), ...before.slice(0, here).reverse()];
    focusRow(near.map((id) => document.getElementById(id)).find((row) => row), false);
    const told = document.getElementById("fills-said");
    if (told) told.textContent = words || said;
    tell(form());
  });
}

/** @param {Fields} other */
function go(other) {
  const asked = place(other);
  if (!("group" in other)) asked.delete("group"); // the first one then
  asked.delete("rows");
  return alone(async () => {
    await refreshSheet(`/fills?${asked}`);
    focusFirst();
  });
}

/** More guesses of the group; the first of them gets the focus. */
function showMore() {
  const last = [...(form()?.querySelectorAll(".member") ?? [])].at(-1);
  const more = String(4 * Number(form()?.dataset.rows));
  return alone(async () => {
    await refreshSheet(`/fills?${place({ rows: more })}`);
    focusRow(document.getElementById(last?.id ?? "")?.nextElementSibling);
  });
}

/** Goes to the group, or super-category, that is so many further. @param {string} which @param {number} by */
function walk(which, by) {
  const all = [...(form()?.querySelectorAll(which) ?? [])].map((one) => /** @type {HTMLElement} */ (one));
  const here = all.findIndex((one) => one.ariaCurrent);
  const next = all[Math.min(Math.max(here + by, 0), all.length - 1)];
  if (!next || next === all[here]) return;
  const { name = "", group } = next.dataset;
  return go(group === undefined ? { name } : { name, group });
}

/** Accepts or refuses what is ticked, or the row in focus where nothing is. @param {string} action */
function decide(action) {
  const ticks = [...(form()?.querySelectorAll(".tick") ?? [])].map((tick) => /** @type {HTMLInputElement} */ (tick));
  const ticked = ticks.filter((tick) => tick.checked).map((tick) => tick.value);
  const rest = /** @type {HTMLInputElement | null} */ (document.getElementById("fills-rest"));
  const body = place({ action, seen: form()?.dataset.line ?? "0" });
  if (ticked.length && rest?.checked) {
    body.set("all", "1");
    for (const tick of ticks) if (!tick.checked) body.append("except", tick.value);
  } else {
    const row = currentRow()?.dataset.qid;
    if (!ticked.length && row) ticked.push(row);
    for (const category of ticked) body.append("category", category);
    if (!ticked.length) return say(NOTHING);
  }
  return send(`/fills/decide`, body);
}

/** @param {string} path @param {URLSearchParams} body @returns {Promise<void>} */
function send(path, body) {
  return alone(async () => {
    const answer = await ask(path, body, () => send(path, body));
    if (!answer) return;
    if (answer.ok) {
      await showInSheet(answer.html, () => `/fills?${place()}`);
      tickAll();
      focusFirst();
      return;
    }
    dropHeld();
    openSay(answer.html, (fields) => {
      for (const [name, value] of Object.entries(fields)) body.set(name, value);
      return send(path, body);
    });
  });
}

/** @type {Record<string, (pressed: HTMLElement) => unknown>} */
const DEEDS = {
  accept: () => decide("accept"),
  refuse: () => decide("refuse"),
  undo: () => send("/fills/undo", place()),
  redo: () => send("/fills/redo", place()),
  next: () => walk(".fills-group", 1),
  previous: () => walk(".fills-group", -1),
  nextName: () => walk(".fills-name", 1),
  previousName: () => walk(".fills-name", -1),
  order: () => go({ order: form()?.dataset.order === "surest" ? "least" : "surest" }),
  more: showMore,
  show: ({ dataset }) => go({ show: dataset.show ?? "open" }),
  go: ({ dataset: { name = "", group } }) => go(group === undefined ? { name } : { name, group }),
};

/** What a button with `data-fill` says. @param {HTMLElement} pressed */
export const fillBy = (pressed) => DEEDS[pressed.dataset.fill ?? ""]?.(pressed);

/** The arrows walk the guesses of the group; j and k walk the groups. @param {KeyboardEvent} event */
function onArrow(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by || !form() || topLayer().id !== "sheet" || isComposing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (!isBusy()) step(by);
}

export const listenToFills = () => window.addEventListener("keydown", onArrow, true);
