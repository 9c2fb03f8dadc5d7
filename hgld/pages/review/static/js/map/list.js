/** The list beside the map: the same classes, for keys and for a screen reader. */
import { number } from "../ticks.js";

const MOST = 200;

/**
 * @param {import("./points.js").Point[]} points those that are listed, most landmarks first
 * @param {string[]} names
 * @param {string[]} sides
 * @param {Set<string>} selected
 */
export function fillList(points, names, sides, selected) {
  const list = /** @type {HTMLElement} */ (document.getElementById("map-rows"));
  const shown = points.slice(0, MOST);
  list.replaceChildren(...shown.map((point) => row(point, names[point.name], sides[point.name], selected.has(point.qid))));
  keepUnseen(list, selected, new Set(shown.map(({ qid }) => qid)));
  const count = /** @type {HTMLElement} */ (document.getElementById("map-count"));
  count.textContent = `${number(points.length)} ${points.length === 1 ? "class" : "classes"}${points.length > MOST ? `, the ${MOST} largest listed` : ""}`;
}

/** What is selected but not listed goes with the form, and is shown before it is changed. */
export function keepUnseen(/** @type {HTMLElement} */ list, /** @type {Set<string>} */ selected, /** @type {Set<string>} */ listed) {
  const form = /** @type {HTMLElement} */ (list.closest("form"));
  for (const input of form.querySelectorAll("input[type=hidden][name=qid]")) input.remove();
  for (const qid of selected) {
    if (listed.has(qid)) continue;
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name: "qid", value: qid });
    form.append(input);
  }
}

/** @param {import("./points.js").Point} point @param {string | undefined} name @param {string | undefined} side @param {boolean} isTicked */
function row(point, name, side, isTicked) {
  const element = document.createElement("li");
  element.className = `member is-${point.isOpen ? "open" : name ? "assigned" : "ignored"}`;
  element.id = `p-${point.qid}`;
  element.dataset.qid = point.qid;
  element.dataset.n = String(point.landmarks);
  const tick = document.createElement("input");
  Object.assign(tick, { type: "checkbox", className: "tick", name: "qid", value: point.qid, defaultChecked: point.isOpen, checked: isTicked });
  tick.setAttribute("aria-label", `${point.label}, ${point.isOpen ? "proposed: " : ""}${name ?? "ignored"}, ${number(point.landmarks)} landmarks`);
  const what = part("div", "member-what");
  what.append(part("span", "member-label", point.label));
  const answer = part("div", "member-answer");
  const chip = part("span", `name-chip is-${point.isOpen ? "proposed" : "settled"}`);
  if (side) chip.append(part("span", `sign sign-${side === "natural" ? "natural" : "human"}`));
  chip.append(name ?? (point.isOpen ? "ignore" : "ignored"));
  answer.append(chip);
  const landmarks = part("span", "member-n");
  landmarks.append(part("b", "", number(point.landmarks)));
  element.append(tick, what, answer, landmarks);
  return element;
}

function part(/** @type {string} */ tag, /** @type {string} */ className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
