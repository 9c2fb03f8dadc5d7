/** The second opinion: classes answered blind, and differences settled, by keys or by hand. */
import { close, openSay, sayAgain } from "../dialogs/layers.js";
import { distance, listenToPick, pick } from "../dialogs/pick.js";
import { isComposing } from "../keys/composing.js";
import { hideDamagedPictures } from "./pictures.js";

/** @typedef {Record<string, string>} Fields */

const TEXT = "input:not([type=hidden]), textarea, select";
const root = () => /** @type {HTMLElement} */ (document.getElementById("second"));
const middle = () => /** @type {HTMLElement} */ (root().firstElementChild);
let isBusy = false;

/** What every write says of the page: which sample, and up to which line it was shown. */
function shown() {
  const { sample, line } = middle().dataset;
  return sample === undefined ? {} : { sample, seen: line ?? "0" };
}

/**
 * Writes; the page changes when the server has.
 * @param {string} path
 * @param {Fields} fields
 * @param {number} row in which the focus is
 */
async function send(path, fields, row = rowInFocus()) {
  if (isBusy) return;
  isBusy = true;
  try {
    const body = new URLSearchParams({ ...shown(), ...fields });
    const response = await fetch(path, { method: "POST", body, headers: { "X-Review-Token": token(), Accept: "text/html" } });
    const html = await response.text();
    if (response.ok) show(html, row);
    else if (response.status === 422) openSay(html, (more) => send(path, { ...fields, ...more }, row));
    else openSay(sentence(response.status === 403 ? "The server was started again since this page was opened. Reload it (F5); nothing was written." : "The server met an error; nothing more is known here. The history of the review says what was written."));
  } catch {
    openSay(sentence("The server does not answer, so nothing is said to be done. Start it again with hgld review: what it had written is there."), () => send(path, fields, row), "Try again");
  } finally {
    isBusy = false;
  }
}

const token = () => /** @type {HTMLMetaElement} */ (document.querySelector("meta[name=review-token]")).content;

function sentence(/** @type {string} */ text) {
  const element = document.createElement("p");
  element.className = "say-heading";
  element.textContent = text;
  return element.outerHTML;
}

/** Shows what the server wrote, and puts the focus where the work goes on. @param {string} html @param {number} row */
function show(html, row) {
  root().innerHTML = html;
  const left = rows();
  const next = row < 0 ? undefined : left[Math.min(row, left.length - 1)];
  if (next) focusRow(next);
  else /** @type {HTMLElement | null} */ (document.getElementById(row < 0 ? "h-second" : "h-settle"))?.focus();
  say();
}

/** Says what was done, and which class comes now, to a screen reader too. */
function say() {
  const said = /** @type {HTMLElement} */ (document.getElementById("said"));
  const { said: text = "", kind = "" } = middle().dataset;
  said.textContent = text;
  said.className = text ? `said said-${kind}` : "said";
}

/** @returns {HTMLElement[]} */
const rows = () => [...document.querySelectorAll(".difference")].map((row) => /** @type {HTMLElement} */ (row));
const rowInFocus = () => rows().findIndex((one) => one.contains(document.activeElement));
const focusRow = (/** @type {HTMLElement | undefined} */ row) => /** @type {HTMLElement | null | undefined} */ (row?.querySelector("button"))?.focus();

function step(/** @type {number} */ by) {
  const all = rows();
  const here = rowInFocus();
  focusRow(all[here < 0 ? 0 : Math.min(Math.max(here + by, 0), all.length - 1)]);
}

/**
 * The names in their one order; of what is typed those that begin so come first.
 * @param {HTMLElement} pressed
 * @param {string} [typed]
 */
function openNames(pressed, typed = "") {
  const form = /** @type {HTMLFormElement} */ (pressed.closest("form"));
  const qid = /** @type {HTMLInputElement} */ (form.elements.namedItem("qid")).value;
  const path = form.dataset.send ?? "";
  const take = (/** @type {string} */ label, /** @type {string} */ side) => send(path, { qid, kind: "name", label, side });
  const all = [...document.querySelectorAll("#offered li")].map((item) => {
    const { label = "", side = "" } = /** @type {HTMLElement} */ (item).dataset;
    return { text: label, side, hint: side, take: () => take(label, side) };
  });
  const ignore = { text: "ignore", hint: "no super-category", take: () => send(path, { qid, kind: "ignore" }) };
  const names = path.endsWith("/settle") ? [...all, ignore] : all;
  const find = (/** @type {string} */ query) => {
    const found = names.filter(({ text }) => text.toLowerCase().includes(query.toLowerCase()));
    found.sort((one, other) => distance(one.text, query) - distance(other.text, query));
    // So that a slip of the finger and Enter make no new name.
    const none = { text: `No name has “${query}”`, hint: "go on typing, or take it as a new one", take: () => openNames(pressed, query) };
    return [...(found.length || !query ? found : [none]), ...fresh(all, query, take)];
  };
  pick({ title: "Which super-category?", find }, typed);
}

/** A name that nobody has given yet. @param {{text: string}[]} names @param {string} query @param {(label: string, side: string) => unknown} take */
function fresh(names, query, take) {
  if (!query || names.some(({ text }) => text.toLowerCase() === query.toLowerCase())) return [];
  return ["natural", "human-made"].map((side) => ({ text: query, side, hint: `new, ${side}`, kind: "A new name", take: () => take(query, side) }));
}

function turnTheme() {
  const { dataset } = document.documentElement;
  dataset.theme = dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("review-theme", dataset.theme);
}

document.addEventListener("click", ({ target }) => {
  const pressed = /** @type {HTMLElement | null} */ (/** @type {Element} */ (target).closest("button"));
  if (!pressed) return;
  const { post } = pressed.dataset;
  if (post) send(post, {});
  else if ("names" in pressed.dataset) openNames(pressed);
  else if ("again" in pressed.dataset) sayAgain(pressed);
  else if ("close" in pressed.dataset) close(pressed.closest("dialog")?.id ?? "say");
  else if ("themeTurn" in pressed.dataset) turnTheme();
});

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  const fields = Object.fromEntries([...new FormData(form, event.submitter)].map(([name, value]) => [name, String(value)]));
  if (form.dataset.send) return send(form.dataset.send, fields);
  if (!("name" in form.dataset)) return;
  const response = await fetch("/name", { method: "POST", body: new URLSearchParams(fields), headers: { "X-Review-Token": token() } });
  if (response.ok) location.reload();
  else openSay(await response.text());
});

document.addEventListener("change", ({ target }) => {
  if (!(target instanceof HTMLSelectElement) || target.id !== "of") return;
  const size = /** @type {HTMLInputElement} */ (document.getElementById("size"));
  size.max = target.selectedOptions[0].dataset.most ?? "";
  size.value = String(Math.min(Number(size.value), Number(size.max)));
});

// A key presses the control that shows it, in the row with the focus where there are several.
document.addEventListener("keydown", (event) => {
  const { key } = event;
  const target = /** @type {Element} */ (event.target);
  if (event.defaultPrevented || isComposing(event) || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]") || target.matches(TEXT)) return;
  if (key === "Enter" && target.closest("button, a[href], summary")) return;
  const here = document.activeElement?.closest(".difference") ?? document;
  const selector = `[data-key="${CSS.escape(key)}"]`;
  const found = /** @type {HTMLElement | null} */ (here.querySelector(selector) ?? root().querySelector(selector));
  if (found) found.click();
  else if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
  else return;
  event.preventDefault();
});

listenToPick();
hideDamagedPictures();
if (document.querySelector(".blind")) document.getElementById("h-second")?.focus();
