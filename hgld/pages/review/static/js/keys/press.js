/**
 * A key presses a control that stands on the page: so key, mouse and screen reader do the same.
 *
 * What is pressed while something is being done is held, and pressed when its result has been
 * painted: fast presses are not lost, and none decides on a cluster that was not shown. Rows out of sight
 * may come after that, and are decided on with those in sight.
 */
import { tinykeys } from "../../vendor/tinykeys.mjs";
import { isBusy, onceIdle, say } from "../bench.js";
import { topLayer } from "../dialogs/layers.js";
import { step } from "../focus.js";
import { isComposing } from "./composing.js";
import { ALSO, KEYS, WHY_NOT } from "./table.js";

const MOST_HELD = 64;
const REPEATING = new Set(["j", "k", "arrowdown", "arrowup"]);
const TEXT = "input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]";
const PRESSABLE = "button, a[href], summary";

/** What was typed ahead, and the key of the table that it is. @type {{text: string, key: string}[]} */
let held = [];

/** Forgets what was pressed ahead: something unexpected is to be read first. */
export const dropHeld = () => {
  held = [];
};

/** The control that a key presses now. @param {string} key @returns {HTMLElement | null} */
export function control(key, layer = topLayer()) {
  const all = [...layer.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].map((found) => /** @type {HTMLElement} */ (found));
  const usable = all.filter((found) => !found.matches(":disabled"));
  return usable.find((found) => found.checkVisibility()) ?? usable.find((found) => found.closest(".pane")) ?? null;
}

/** @param {HTMLElement} found */
export function press(found) {
  const pane = /** @type {HTMLElement | null} */ (found.closest(".pane"));
  if (pane && !found.checkVisibility()) document.documentElement.dataset.pane = pane.id.replace("pane-", "");
  if (found instanceof HTMLInputElement && found.type === "search") found.select(), found.focus();
  else found.click();
}

/** @param {string} key */
function pressNow(key) {
  const found = control(key);
  if (found) press(found);
  else if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
  else sayWhyNot(key);
}

/** A key of the open cluster that can do nothing there is not passed over. @param {string} key */
function sayWhyNot(key) {
  const page = topLayer();
  const why = WHY_NOT[/[1-9]/.test(key) ? "1" : key];
  if (why && page.id === "bench" && page.querySelector("#work") && !("readOnly" in page.dataset)) say(why);
}

function pressHeld() {
  while (!isBusy()) {
    const next = held.shift();
    if (!next) return;
    const field = document.activeElement;
    if (field instanceof HTMLInputElement && field.matches(TEXT)) typeInto(field, next.text);
    else if (next.key) pressNow(next.key);
  }
  onceIdle(pressHeld);
}

/** A field that a held key opened gets what was typed after it. @param {HTMLInputElement} field @param {string} text */
function typeInto(field, text) {
  if (text.length > 1) field.dispatchEvent(new KeyboardEvent("keydown", { key: text, code: text, bubbles: true, cancelable: true }));
  else {
    field.setRangeText(text, field.selectionStart ?? 0, field.selectionEnd ?? 0, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/** @param {KeyboardEvent} event @param {string} key */
function hold(event, key) {
  if (event.repeat || held.length >= MOST_HELD) return;
  held.push({ text: event.key, key });
  if (held.length === 1) onceIdle(pressHeld);
}

/** Letters that are no key are held too, behind one that opens a field. @param {KeyboardEvent} event */
function holdText(event) {
  if (!held.length || !isBusy() || event.defaultPrevented || isComposing(event) || event.ctrlKey || event.metaKey || event.key.length > 1) return;
  hold(event, "");
}

/** @param {string} key @returns {(event: KeyboardEvent) => void} */
const on = (key) => (event) => {
  const target = /** @type {Element} */ (event.target);
  // On a button or link, Enter presses that.
  if (event.key === "Enter" && target.closest(PRESSABLE)) return;
  // AltGr comes as Ctrl and Alt; Ctrl alone is the browser's.
  if (event.metaKey || ((event.ctrlKey || event.altKey) && !event.getModifierState("AltGraph") && !(event.ctrlKey && event.altKey))) return;
  if (target.matches("input[type=range], input[type=radio]") && event.key.startsWith("Arrow")) return;
  event.preventDefault();
  if (isBusy()) hold(event, key);
  else pressNow(key);
};

const isIgnored = (/** @type {KeyboardEvent} */ event) =>
  event.defaultPrevented ||
  isComposing(event) ||
  (event.repeat && !REPEATING.has(event.key.toLowerCase())) ||
  /** @type {Element} */ (event.target).matches(TEXT);

/** The palette opens from anywhere, text fields too. @param {KeyboardEvent} event */
function onPaletteKey(event) {
  if (isComposing(event) || event.altKey || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k") return;
  event.preventDefault();
  const found = control(":");
  if (found && !isBusy()) press(found);
}

/** Esc and Enter leave the filter. @param {KeyboardEvent} event */
function onFilterKey(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (!target.matches("#q, #map-text") || isComposing(event) || !["Escape", "Enter"].includes(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  target.blur();
  onceIdle(() => step(0));
}

export function listen() {
  window.addEventListener("keydown", onPaletteKey);
  window.addEventListener("keydown", onFilterKey, true);
  /** @type {Record<string, (event: KeyboardEvent) => void>} */
  const bindings = {};
  for (const { key, press: how } of KEYS) bindings[how] = on(key);
  for (const [how, key] of ALSO) bindings[how] = on(key);
  tinykeys(window, bindings, { ignore: isIgnored });
  window.addEventListener("keydown", holdText);
}
