/** One thing is picked of many while it is typed: names, clusters, commands. */
import { isComposing } from "../keys/composing.js";
import { close, closeAfter, open } from "./layers.js";

/**
 * @typedef {object} Item
 * @property {string} text
 * @property {string} [hint]
 * @property {string} [side] natural or human-made
 * @property {string} [kind] a heading above the first item of its kind
 * @property {(side: string) => void} take
 *
 * @typedef {object} Question
 * @property {string} title
 * @property {string} [about]
 * @property {(query: string) => Item[]} find
 * @property {boolean} [sides] whether the side is asked for
 * @property {boolean} [asksAtOnce] whether what is taken is a request to the server: see `closeAfter`
 * @property {(query: string, into: HTMLElement) => void} [more] fills what stands below the list
 */

const MOST = 200;
const get = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const text = () => /** @type {HTMLInputElement} */ (get("pick-text"));

/** @type {Question | null} */
let question = null;
/** @type {Item[]} */
let items = [];
let active = 0;
let isSideChosen = false;

/** @param {Question} asked @param {string} [query] */
export function pick(asked, query = "") {
  question = asked;
  isSideChosen = false;
  get("pick-title").textContent = asked.title;
  get("pick-about").textContent = asked.about ?? "";
  get("pick-side").hidden = !asked.sides;
  get("pick-more").replaceChildren();
  open("pick");
  text().value = query;
  text().focus();
  fill();
}

/** Shows what the text finds; also called when what can be found has grown. */
export function fill() {
  if (!question) return;
  const query = text().value.trim();
  items = question.find(query).slice(0, MOST);
  active = 0;
  const rows = [];
  let kind = "";
  for (const [index, item] of items.entries()) {
    if (item.kind && item.kind !== kind) rows.push(heading((kind = item.kind)));
    rows.push(option(item, index));
  }
  if (!items.length) rows.push(heading(query ? "Nothing has that name" : "Type a name"));
  get("pick-list").replaceChildren(...rows);
  mark();
  question.more?.(query, get("pick-more"));
}

function heading(/** @type {string} */ words) {
  const row = document.createElement("li");
  row.className = "pick-kind";
  row.role = "presentation";
  row.textContent = words;
  return row;
}

/** @param {Item} item @param {number} index */
function option(item, index) {
  const row = document.createElement("li");
  row.role = "option";
  row.id = `pick-${index}`;
  const what = document.createElement("span");
  what.className = "pick-what";
  if (item.side) {
    const sign = document.createElement("span");
    sign.className = `sign sign-${item.side === "natural" ? "natural" : "human"}`;
    what.append(sign);
  }
  what.append(item.text);
  const hint = document.createElement("span");
  hint.className = "pick-hint";
  hint.textContent = item.hint ?? "";
  row.append(what, hint);
  row.addEventListener("click", () => take(index));
  return row;
}

function mark() {
  for (const row of get("pick-list").querySelectorAll("[role=option]")) row.setAttribute("aria-selected", String(row.id === `pick-${active}`));
  const row = document.getElementById(`pick-${active}`);
  text().setAttribute("aria-activedescendant", row ? row.id : "");
  row?.scrollIntoView({ block: "nearest" });
  const side = items[active]?.side;
  if (side && !isSideChosen) for (const radio of radios()) radio.checked = radio.value === side;
}

/** @returns {HTMLInputElement[]} */
const radios = () => [...get("pick-side").querySelectorAll("input")].map((radio) => /** @type {HTMLInputElement} */ (radio));

function take(/** @type {number} */ index) {
  const item = items[index];
  if (!item) return;
  const side = radios().find((radio) => radio.checked)?.value ?? item.side ?? "";
  const asksAtOnce = question?.asksAtOnce;
  question = null;
  if (asksAtOnce) return closeAfter("pick", () => item.take(side));
  close("pick");
  item.take(side);
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (isComposing(event)) return;
  const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
  if (by) {
    active = Math.min(Math.max(active + by, 0), Math.max(items.length - 1, 0));
    mark();
  } else if (event.key === "Enter" && !event.repeat) take(active);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** Letters alone, so that a word of "castle / fort" begins behind a space. */
const words = (/** @type {string} */ text) => ` ${text.toLowerCase().split(/[\s\p{P}]+/u).join(" ").trim()}`;

/**
 * How near a text comes to what was typed: 0 it is that, 1 it begins so, 2 a word of it does, 3 not so.
 * @param {string} text @param {string} query
 */
export function distance(text, query) {
  const [all, typed] = [words(text), words(query)];
  if (all === typed) return 0;
  return all.startsWith(typed) ? 1 : all.includes(typed) ? 2 : 3;
}

export function listenToPick() {
  text().addEventListener("keydown", onKey);
  text().addEventListener("input", fill);
  get("pick-side").addEventListener("change", () => {
    isSideChosen = true;
    text().focus();
  });
}
