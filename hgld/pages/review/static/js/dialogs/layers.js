/** Dialogs lie upon the page, and the topmost one has the keys. */

/** @type {HTMLElement[]} */
const stack = [];
/** @type {Set<() => void>} */
const afterClose = new Set();

/**
 * The topmost open dialog, or the page. One that was just closed is none, though it stays in the
 * stack until the browser tells of it.
 * @returns {HTMLElement}
 */
export const topLayer = () => stack.findLast((element) => dialog(element.id).open) ?? /** @type {HTMLElement} */ (document.getElementById("bench"));

/** @param {string} id @returns {HTMLDialogElement} */
export const dialog = (id) => /** @type {HTMLDialogElement} */ (document.getElementById(id));

/** @param {string} id */
export function open(id) {
  const element = dialog(id);
  if (element.open) return element;
  element.showModal();
  forget(element);
  stack.push(element);
  return element;
}

function forget(/** @type {HTMLElement} */ element) {
  const at = stack.indexOf(element);
  if (at >= 0) stack.splice(at, 1);
}

export const close = (/** @type {string} */ id) => dialog(id).close();

/**
 * Does what a dialog was to ask for, then closes it: the request is on its way while the browser
 * puts the dialog away. What it is about stands in the layer below.
 * @param {string} id @param {() => unknown} work opens no dialog, and looks for no focus, before it has waited
 */
export function closeAfter(id, work) {
  forget(dialog(id));
  work();
  dialog(id).close();
}

/** Closes what is open, but for one. @param {string} [except] */
export function closeAll(except = "") {
  for (const element of [...stack].reverse()) if (element.id !== except) dialog(element.id).close();
}

/** Calls back whenever the last dialog was closed. */
export const onLastClose = (/** @type {() => void} */ work) => afterClose.add(work);

document.addEventListener(
  "close",
  ({ target }) => {
    if (target instanceof HTMLDialogElement && !target.open) forget(target);
    if (!stack.length) for (const work of afterClose) work();
  },
  true,
);

// A press beside a dialog closes it.
document.addEventListener("mousedown", ({ target }) => {
  if (target instanceof HTMLDialogElement && target.open) target.close();
});

/** @type {((fields: Record<string, string>) => unknown) | null} */
let again = null;

/**
 * Shows what the server says instead of doing it.
 * @param {string} html
 * @param {(fields: Record<string, string>) => unknown} [repeat] sends it again with more fields
 * @param {string} [retry] the words of a button that sends the same again
 */
export function openSay(html, repeat, retry) {
  const body = /** @type {HTMLElement} */ (document.getElementById("say-body"));
  body.innerHTML = html;
  if (retry) body.append(button(retry));
  const heading = /** @type {HTMLElement | null} */ (body.querySelector("[data-title]"));
  /** @type {HTMLElement} */ (document.getElementById("say-title")).textContent = heading?.dataset.title ?? "Not done";
  again = repeat ?? null;
  open("say");
  /** @type {HTMLElement | null} */ (body.querySelector(".deed:not(:disabled)"))?.focus({ preventScroll: true });
  body.scrollTop = 0;
}

/** A sentence of the page's own, for `openSay`. */
export function sentence(/** @type {string} */ text) {
  const element = document.createElement("p");
  element.className = "say-heading";
  element.dataset.title = "Not done";
  element.textContent = text;
  return element.outerHTML;
}

function button(/** @type {string} */ text) {
  const line = document.createElement("p");
  line.className = "dialog-buttons";
  const element = document.createElement("button");
  Object.assign(element, { type: "button", className: "deed deed-first", textContent: text });
  element.dataset.again = "";
  line.append(element);
  return line;
}

/** A button with `data-again` was pressed. @param {HTMLElement} pressed */
export function sayAgain(pressed) {
  const { field, value } = pressed.dataset;
  closeAfter("say", () => again?.(field ? { [field]: value ?? "" } : {}));
}
