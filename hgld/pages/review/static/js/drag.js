/** Classes are dragged onto a super-category, by mouse or finger: what is ticked goes together. */
import { focusRow } from "./focus.js";
import { count, subject, tell } from "./ticks.js";
import { act } from "./write.js";

const GROUP = "classes";
/** As browsers with and without pointer events tell of a drag that is given up. */
const CANCELS = ["pointercancel", "touchcancel"];

const work = () => /** @type {HTMLFormElement} */ (document.getElementById("work"));
const tickOf = (/** @type {HTMLElement} */ row) => /** @type {HTMLInputElement} */ (row.querySelector(".tick"));
const isDragging = () => document.documentElement.classList.contains("dragging");

/** Makes the open list and the taxonomy ready for a drag, when a grip is first touched. */
function ready(/** @type {HTMLElement} */ list) {
  const { Sortable } = window;
  if (!Sortable.get(list)) {
    Sortable.create(list, {
      group: { name: GROUP, pull: "clone", put: false },
      sort: false,
      handle: "[data-grip]",
      draggable: ".member",
      ghostClass: "drag-ghost",
      forceFallback: true,
      fallbackOnBody: true,
      fallbackClass: "drag-image",
      onStart,
      onMove: () => false,
      onEnd,
    });
  }
}

/** The picture at the pointer says what goes. @param {{item: HTMLElement}} event */
function onStart({ item }) {
  document.documentElement.classList.add("dragging");
  if (!tickOf(item).checked) return;
  const { qids, unseen } = subject(work());
  const words = window.Sortable.ghost?.querySelector(".member-label");
  if (words && qids.length + unseen > 1) words.textContent = count(qids.length + unseen, "class", "classes");
}

/** The row of the taxonomy under a point. @param {number} x @param {number} y */
const nameAt = (x, y) => /** @type {HTMLElement | null | undefined} */ (document.elementsFromPoint(x, y).map((one) => one.closest("#names tr[data-name]")).find(Boolean));

function unlight() {
  for (const row of document.querySelectorAll(".is-target")) row.classList.remove("is-target");
}

/** @param {PointerEvent} event */
function light(event) {
  if (!isDragging()) return;
  unlight();
  nameAt(event.clientX, event.clientY)?.classList.add("is-target");
}

/** Esc gives the drag up, as the system does when it takes the finger. @param {KeyboardEvent} event */
function onKey(event) {
  if (!isDragging()) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.key === "Escape") for (const kind of CANCELS) document.dispatchEvent(new Event(kind));
}

/** @param {{item: HTMLElement, originalEvent: MouseEvent & {changedTouches?: TouchList}}} event */
function onEnd({ item, originalEvent }) {
  document.documentElement.classList.remove("dragging");
  unlight();
  const { clientX, clientY } = originalEvent.changedTouches?.[0] ?? originalEvent;
  const name = CANCELS.includes(originalEvent.type) ? null : nameAt(clientX, clientY);
  if (!name) {
    focusRow(document.getElementById(item.id), false);
    return;
  }
  const form = work();
  const tick = tickOf(item);
  if (!tick.checked) {
    // It goes alone: what is ticked stays where it is.
    for (const other of form.querySelectorAll(".tick")) /** @type {HTMLInputElement} */ (other).checked = other === tick;
    const all = /** @type {HTMLInputElement | null} */ (form.querySelector("#all"));
    if (all) all.checked = false;
    tell(form);
  }
  act({ action: "assign", label: name.dataset.name ?? "", side: name.dataset.side ?? "", go: "on" }, form);
}

export function listenToDrag() {
  document.addEventListener("pointerdown", ({ target }) => {
    const grip = /** @type {Element} */ (target).closest("[data-grip]");
    const list = /** @type {HTMLElement | null | undefined} */ (grip?.closest(".members"));
    if (list) ready(list);
  }, true);
  document.addEventListener("pointermove", light);
  window.addEventListener("keydown", onKey, true);
}
