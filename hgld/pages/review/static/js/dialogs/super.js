/** A super-category of the taxonomy: its classes, its side, another name. */
import { load } from "../bench.js";
import { act } from "../write.js";
import { closeAfter, open } from "./layers.js";

const isReadOnly = () => "readOnly" in /** @type {HTMLElement} */ (document.getElementById("bench")).dataset;

/** @param {string} text @param {() => unknown} take */
function button(text, take) {
  const element = document.createElement("button");
  Object.assign(element, { type: "button", className: "deed", textContent: text });
  element.addEventListener("click", () => closeAfter("super", take));
  return element;
}

function line(/** @type {Node[]} */ ...inside) {
  const element = document.createElement("p");
  element.className = "dialog-buttons";
  element.append(...inside);
  return element;
}

/** @param {string} label */
function renamer(label) {
  const form = document.createElement("form");
  const field = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "text", value: label, required: true, maxLength: 200 });
  field.append("Its name ", input);
  const rename = document.createElement("button");
  Object.assign(rename, { type: "submit", className: "deed", textContent: "Rename" });
  form.append(line(field, rename));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const to = input.value.trim();
    closeAfter("super", () => to !== label.trim() && act({ action: "rename", label, to, go: "stay" }));
  });
  return form;
}

/** Opens it for a row of the taxonomy. @param {HTMLElement} pressed a control in that row, or with its name */
export function openSuper(pressed) {
  const row = /** @type {HTMLElement | null} */ (pressed.closest("[data-name]"));
  const label = row?.dataset.name ?? "";
  const side = row?.dataset.side;
  /** @type {HTMLElement} */ (document.getElementById("super-title")).textContent = label;
  const other = side === "natural" ? "human-made" : "natural";
  const show = button("Show its classes", () => load(`?${new URLSearchParams({ q: `is:${label}` })}`, { push: true }));
  const about = document.createElement("p");
  about.textContent = `It is ${side}. Renaming it to a name that exists puts both together.`;
  const turn = button(`Make it ${other}`, () => act({ action: "side", label, side: other, go: "stay" }));
  const body = /** @type {HTMLElement} */ (document.getElementById("super-body"));
  body.replaceChildren(...(isReadOnly() ? [line(show)] : [about, line(show, turn), renamer(label)]));
  open("super");
  show.focus();
}
