/** Classes are dragged onto a super-category, by mouse or finger: what is ticked goes together. */
import { act } from "./write.js";
import { tell } from "./ticks.js";

const GROUP = "classes";

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
      onStart: () => document.documentElement.classList.add("dragging"),
      onMove: () => false,
      onEnd,
    });
  }
}

/** The row of the taxonomy under a point. @param {number} x @param {number} y */
const nameAt = (x, y) => /** @type {HTMLElement | null | undefined} */ (document.elementsFromPoint(x, y).map((one) => one.closest("#names tr[data-name]")).find(Boolean));

/** @param {PointerEvent} event */
function light(event) {
  if (!document.documentElement.classList.contains("dragging")) return;
  for (const row of document.querySelectorAll(".is-target")) row.classList.remove("is-target");
  nameAt(event.clientX, event.clientY)?.classList.add("is-target");
}

/** @param {{item: HTMLElement, originalEvent: MouseEvent & {changedTouches?: TouchList}}} event */
function onEnd({ item, originalEvent }) {
  document.documentElement.classList.remove("dragging");
  for (const row of document.querySelectorAll(".is-target")) row.classList.remove("is-target");
  const { clientX, clientY } = originalEvent.changedTouches?.[0] ?? originalEvent;
  const name = nameAt(clientX, clientY);
  if (!name) return;
  const form = /** @type {HTMLFormElement} */ (document.getElementById("work"));
  const tick = /** @type {HTMLInputElement} */ (item.querySelector(".tick"));
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
}
