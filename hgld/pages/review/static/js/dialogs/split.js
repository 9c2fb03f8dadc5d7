/** A cluster is split: what is ticked on its own, by what is proposed, or into k parts. */
import { number, subject, unticked, work } from "../ticks.js";
import { act } from "../write.js";
import { closeAfter, open } from "./layers.js";

/** @param {string} tag @param {string} [text] @param {string} [className] */
function made(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

/** @param {string} title @param {string} words @param {() => unknown} take @param {Node[]} inside */
function way(title, words, take, inside) {
  const element = made("section", "", "split-way");
  const button = made("button", words, "deed");
  /** @type {HTMLButtonElement} */ (button).type = "button";
  button.addEventListener("click", () => closeAfter("split", take));
  element.append(made("h3", title), ...inside, button);
  return element;
}

export function openSplit() {
  const form = work();
  const group = document.getElementById("bench")?.dataset.group ?? "";
  const body = /** @type {HTMLElement} */ (document.getElementById("split-body"));
  const parts = /** @type {HTMLTemplateElement | null} */ (document.getElementById("parts"));
  const many = /** @type {HTMLInputElement} */ (made("input"));
  Object.assign(many, { type: "number", min: "2", max: "9", value: "2", id: "split-k" });
  const label = made("label", "How many parts ");
  label.append(many, " ");
  const split = (/** @type {Record<string, string>} */ fields) => () => act({ go: "stay", group, ...fields }, form);
  const { qids, all } = subject(form);
  const left = form ? unticked(form) : [];
  const ways = [way("By hand", all ? "Split off all that match" : `Split off the ${number(qids.length)} ticked`, split({ action: "split" }), [])];
  if (left.length) ways.unshift(way("What is unticked", `Split off the ${number(left.length)} unticked`, () => act({ go: "stay", group, action: "split" }, form, left), []));
  const proposed = parts?.content.querySelector("li") ? parts.content.cloneNode(true) : null;
  if (proposed) ways.push(way("By what is proposed", "Split into these", split({ action: "split_parts" }), [proposed]));
  ways.push(way("By likeness", "Split into that many", () => split({ action: "split_parts", k: many.value })(), [label]));
  if (!group.startsWith("c")) ways.push(way("Back", "Put it back where it came from", split({ action: "ungroup" }), []));
  body.replaceChildren(...ways);
  open("split");
  body.querySelector("button")?.focus();
}
