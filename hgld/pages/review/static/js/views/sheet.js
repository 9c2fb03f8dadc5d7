/** The wide dialog: what fills it, and filling it again when something was decided. */
import { read, say } from "../bench.js";
import { dialog, open } from "../dialogs/layers.js";
import { focusRow } from "../focus.js";
import { tell } from "../ticks.js";

/** @typedef {{path: string, title?: string, ready?: (body: HTMLElement) => unknown}} Sheet */

/** @type {Sheet | null} */
let shown = null;

const body = () => /** @type {HTMLElement} */ (document.getElementById("sheet-body"));

/** @param {Sheet} sheet */
export async function openSheet(sheet) {
  shown = sheet;
  title(sheet.title ?? "");
  body().replaceChildren();
  open("sheet");
  if (!(await fillSheet("innerHTML"))) return;
  if (!focusRow(body().querySelector(".member"))) /** @type {HTMLElement | null} */ (body().querySelector("button, input, a"))?.focus();
}

/** A page, or a part of one, that is read and not shown. @param {string} html */
export const parsed = (html) => new DOMParser().parseFromString(html, "text/html");

/** What a page of the server says is wrong; empty where that is no such page. @param {string} html */
export const wordsOf = (html) => parsed(html).querySelector("main p")?.textContent?.trim() ?? "";

function title(/** @type {string} */ words) {
  /** @type {HTMLElement} */ (document.getElementById("sheet-title")).textContent = words;
}

/** @param {"innerHTML" | "innerMorph"} swap */
async function fillSheet(swap) {
  const sheet = shown;
  if (!sheet) return false;
  if (sheet.path) {
    const response = await read(sheet.path);
    if (!response) return false;
    const text = await response.text();
    if (shown !== sheet) return false; // another view was opened meanwhile
    if (!response.ok) {
      say(wordsOf(text) || `The server could not show that (${response.status}).`);
      return false;
    }
    await window.htmx.swap({ text, target: "#sheet-body", swap, sourceElement: body() });
  }
  return finish(sheet);
}

/** @param {Sheet} sheet */
async function finish(sheet) {
  const titled = /** @type {HTMLElement | null} */ (body().querySelector("[data-title]"));
  if (titled?.dataset.title) title(titled.dataset.title);
  await sheet.ready?.(body());
  if (shown !== sheet) return false;
  tell(body().querySelector("form[data-work]"));
  return true;
}

/**
 * What the server wrote after a decision; from then on it is read from another address.
 * @param {string} text
 * @param {() => string} path
 */
export async function showInSheet(text, path) {
  if (!shown || !dialog("sheet").open) return;
  await window.htmx.swap({ text, target: "#sheet-body", swap: "innerMorph", sourceElement: body() });
  shown.path = path();
  await finish(shown);
}

/** The same again, after a decision; what has the focus keeps it. @param {string} [path] */
export async function refreshSheet(path) {
  if (!shown || !dialog("sheet").open) return;
  if (path) shown.path = path;
  const qid = /** @type {HTMLElement | null} */ (document.activeElement?.closest("#sheet .member"))?.dataset.qid;
  await fillSheet("innerMorph");
  if (!qid || document.activeElement?.closest("#sheet .member")) return;
  focusRow(body().querySelector(`[data-qid="${CSS.escape(qid)}"]`) ?? body().querySelector(".member"));
}
