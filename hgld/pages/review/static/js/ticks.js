/**
 * Which classes an action is about: the ticked ones, or the row in focus where none is.
 *
 * Open classes are ticked to begin with. What a person ticks or unticks is kept while the group is
 * open, whatever is swapped meanwhile.
 */
import { onceWhole } from "./bench.js";
import { topLayer } from "./dialogs/layers.js";
import { currentRow } from "./focus.js";

/** @type {Map<string, boolean>} */
const touched = new Map();
let everything = false;
let isPicked = false;

/** @typedef {{qids: string[], all: boolean, except: string[], undecided: boolean, unseen: number}} Subject */

/** The form whose classes are ticked, in the topmost layer. @returns {HTMLFormElement | null} */
export const work = () => topLayer().querySelector("form[data-work]");

/** @returns {HTMLInputElement[]} */
const ticksOf = (/** @type {ParentNode} */ form) => [...form.querySelectorAll(".member > .tick")].map((tick) => /** @type {HTMLInputElement} */ (tick));

/** @returns {HTMLInputElement | null} */
const allBox = (/** @type {ParentNode} */ form) => form.querySelector("#all, [data-all]");

export const number = (/** @type {number} */ value) => value.toLocaleString("en").replaceAll(",", "\u202f");
export const count = (/** @type {number} */ value, /** @type {string} */ one, /** @type {string} */ many) => `${number(value)} ${value === 1 ? one : many}`;

/**
 * What a remark is about: the row in focus, unless the person ticked some, beginning with none.
 * @returns {string[]}
 */
export function few(form = work()) {
  const ticked = form ? subject(form).qids : [];
  if (form?.id !== "work" || isPicked) return ticked;
  const row = currentRow()?.dataset.qid;
  return row ? [row] : ticked;
}

/** What is said where a key is about nothing. */
export const NOTHING = "Nothing is ticked. j goes to a row, x ticks it, * ticks everything.";

/** The open classes that the person unticked. @returns {string[]} */
export const unticked = (/** @type {ParentNode} */ form) => ticksOf(form).filter((tick) => tick.defaultChecked && !tick.checked).map((tick) => tick.value);

/** @returns {Subject} */
export function subject(form = work()) {
  const none = { qids: [], all: false, except: [], undecided: false, unseen: 0 };
  if (!form) return none;
  const ticks = ticksOf(form);
  const qids = [...ticks.filter((tick) => tick.checked).map((tick) => tick.value), ...comingOf(form)];
  if (qids.length && allBox(form)?.checked) {
    const except = ticks.filter((tick) => isUnticked(tick)).map((tick) => tick.value);
    return { qids, all: true, except, undecided: !everything, unseen: unseenOf(form, ticks) };
  }
  const unlisted = unlistedOf(form);
  if (unlisted.length) return { ...none, qids: [...qids, ...unlisted], unseen: unlisted.length };
  if (!qids.length && currentRow()) qids.push(currentRow()?.dataset.qid ?? "");
  return { ...none, qids };
}

/** Open classes whose rows are to come: they are ticked then, and so they are now. */
const comingOf = (/** @type {HTMLElement} */ form) => form.dataset.comingOpen?.split(" ") ?? [];

/** Selected on the map, and too many to be listed. */
const unlistedOf = (/** @type {ParentNode} */ form) => [...form.querySelectorAll("input[type=hidden][name=qid]")].map((input) => /** @type {HTMLInputElement} */ (input).value);

/**
 * How many classes an action is about that are not shown. Open classes stand first: where the last
 * that is shown is decided, those that are not shown are too.
 * @param {HTMLElement} form
 * @param {HTMLInputElement[]} ticks
 */
function unseenOf(form, ticks) {
  if (!allBox(form)?.checked) return unlistedOf(form).length;
  const coming = Number(form.dataset.coming ?? 0);
  const areOpen = coming ? comingOf(form).length === coming : ticks.at(-1)?.defaultChecked ?? true;
  return everything || areOpen ? Number(form.dataset.matching) - ticks.length - coming : 0;
}

/** A decided class is not ticked to begin with: `undecided` leaves those out already. */
const isUnticked = (/** @type {HTMLInputElement} */ tick) => !tick.checked && (everything || tick.defaultChecked);

/** Puts the ticks back after the rows were swapped. @param {boolean} [moved] to another group */
export function retick(moved = false) {
  const form = document.getElementById("work");
  if (!form) return;
  const box = allBox(form);
  if (moved) {
    touched.clear();
    everything = false;
    isPicked = false;
    if (box) box.checked = true;
  }
  for (const tick of ticksOf(form)) tick.checked = touched.get(tick.value) ?? tick.defaultChecked;
  tell(form);
}

/** Says how many are ticked. */
export function tell(/** @type {HTMLElement | null} */ form = work()) {
  const said = form?.querySelector("#ticked, [data-ticked]");
  if (!form || !said) return;
  const ticks = ticksOf(form);
  const { coming = 0, behind = 0, matching } = form.dataset;
  if (Number(coming) + Number(behind)) {
    said.textContent = count(Number(matching), "class", "classes");
    return;
  }
  const ticked = ticks.filter((tick) => tick.checked);
  const landmarks = ticked.reduce((sum, tick) => sum + Number(tick.parentElement?.dataset.n), 0);
  const unseen = ticked.length ? unseenOf(form, ticks) : 0;
  said.textContent = ticked.length
    ? unseen
      ? `${number(ticked.length)} ticked and ${number(unseen)} not shown`
      : `${number(ticked.length)} of ${number(ticks.length)} ticked, ${count(landmarks, "landmark", "landmarks")}`
    : "None ticked: keys are about the row in focus";
}

/** @param {HTMLInputElement} tick */
function note(tick) {
  if (tick.form?.id === "work") touched.set(tick.value, tick.checked);
}

/** What the buttons `row`, `none` and `all` do. @param {string} which */
export function tickBy(which) {
  const form = work();
  if (!form) return;
  if (which !== "row") {
    const tickThem = () => tickMany(form, which);
    return form.id === "work" ? onceWhole(tickThem) : tickThem();
  }
  const tick = /** @type {HTMLInputElement | null | undefined} */ (currentRow()?.querySelector(".tick"));
  tick?.click();
  tell(form);
}

/** @param {HTMLFormElement} form @param {string} which */
function tickMany(form, which) {
  const isAny = ticksOf(form).some((tick) => tick.checked);
  for (const tick of ticksOf(form)) {
    // On the map most of what is ticked is out of sight: what is settled is ticked there by hand alone.
    const wanted = which === "all" ? form.id !== "map" || tick.defaultChecked : !isAny && tick.defaultChecked;
    if (tick.checked === wanted) continue;
    tick.checked = wanted;
    tick.dispatchEvent(new Event("change", { bubbles: true }));
  }
  everything = which === "all";
  isPicked = which === "none" && isAny;
  const box = allBox(form);
  if (box) box.checked = which === "all" || !isAny;
  tell(form);
}

document.addEventListener("change", ({ target }) => {
  if (!(target instanceof HTMLInputElement)) return;
  if (target.matches(".tick")) note(target);
  if (target.matches(".tick, #all, [data-all]")) tell(target.form);
});
