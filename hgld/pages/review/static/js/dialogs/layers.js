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
  putAway();
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

const LEAVES_MS = 250; // a server that takes longer keeps nobody from the page

/** Unseen by now, and still open for the browser. @type {HTMLDialogElement | null} */
let leaving = null;

/**
 * Does what a dialog was to ask for, and closes it: at once for the eye, for the browser when the
 * answer has been painted, since all that the dialog kept from the keys gets its style anew: 25 ms.
 * @param {string} id
 * @param {() => unknown} work returns a promise where it asks the server; before it has waited it opens no dialog, and looks for no focus
 */
export function closeAfter(id, work) {
  const element = dialog(id);
  forget(element);
  const answered = work();
  if (stack.length || !(answered instanceof Promise)) return element.close();
  leaving = element;
  element.classList.add("is-leaving");
  /** @type {HTMLElement | null} */ (document.activeElement)?.blur(); // what is typed is the page's
  answered.finally(() => putAway(element));
  setTimeout(putAway, LEAVES_MS, element);
}

/** Closes the dialog that is unseen by now; says whether there was one. @param {HTMLDialogElement | null} [element] this one alone */
export function putAway(element = leaving) {
  if (!element || element !== leaving) return false;
  leaving = null;
  element.close();
  element.classList.remove("is-leaving");
  return true;
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
