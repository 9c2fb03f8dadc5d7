/** Fills and second opinions: rows are walked and ticked, and a button posts what it is about. */
import { pickName } from "./pick.js";
import { ask, busy, send } from "./server.js";

const TEXT = "input:not([type=checkbox]), textarea, select";
const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };

const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const rows = () => all("[data-row]");
const boxes = () => all("[data-row] input");
const here = () => rows().findIndex((row) => row.contains(document.activeElement));

/** The row at a place, or the last one; without rows what comes next is read out. @param {number} place */
function focusOn(place) {
  const row = rows().at(Math.min(Math.max(place, 0), rows().length - 1));
  ((row && $("input, button", row)) ?? $("#desk [tabindex='-1']"))?.focus();
}

/** Says on the buttons what they are about. */
function mark() {
  const count = boxes().filter((box) => box.checked).length;
  for (const button of all("[data-ticks]")) $("span", button).textContent = count ? `${count} ticked` : `all ${button.dataset.ticks}`;
}

/** @param {HTMLInputElement[]} ticks @param {boolean} isOn */
function tick(ticks, isOn) {
  for (const box of ticks) box.checked = isOn;
  mark();
}

const title = () => $("#desk h2")?.textContent;
const keepInSight = () => $(".word [aria-current]")?.scrollIntoView({ block: "nearest" });

/** @param {HTMLElement} button @param {Record<string, string>} given */
function post(button, given = {}) {
  if (busy()) return; // it would be about what is not shown yet
  const body = new URLSearchParams({ ...JSON.parse(button.dataset.fields), ...given });
  if ("ticks" in button.dataset) for (const box of boxes()) if (box.checked) body.append("category", box.value);
  const [place, before] = [here(), title()];
  const then = () => {
    tick(boxes(), false);
    focusOn(title() === before ? place : 0);
    keepInSight();
  };
  const { send: path, key, asks } = button.dataset;
  const go = () => send(path, body, { then });
  if (asks && !body.has("category")) return ask(asks, key, go);
  return go();
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-send], [data-tick-all]");
  if (!button) return;
  const { names } = button.dataset;
  if (names !== undefined) pickName("Name", names, (name) => post(button, name));
  else if (button.dataset.send) post(button);
  else tick(boxes(), !boxes().every((box) => box.checked));
});
document.addEventListener("change", mark);

// Before the page's own: on these views a key is that of the button that shows it.
addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey) return;
  if ($("dialog[open]") || target.matches(TEXT) || (key === "Enter" && target.closest("a, button"))) return;
  const row = target.closest("[data-row]");
  const selector = `[data-key="${CSS.escape(key)}"]:not(:disabled)`;
  const control = key === "x" ? row && $("input", row) : (row && $(selector, row)) ?? $(`#desk ${selector}`);
  const step = rows().length && STEPS[key];
  if (!control && !step) return;
  event.preventDefault();
  event.stopPropagation();
  if (step) focusOn(here() + step);
  else if (control.matches(TEXT)) control.focus();
  else if (!event.repeat) control.click();
}, true);

keepInSight();

