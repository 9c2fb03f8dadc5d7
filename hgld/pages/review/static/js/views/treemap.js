/** The taxonomy as areas: each super-category as large as its landmarks, natural and human-made apart. */
import { number } from "../ticks.js";

const WIDE = 62;
const HIGH = 30;

/** @returns {{name: string, side: string, value: number, settled: number}[]} */
const leaves = () =>
  [...document.querySelectorAll("#names tr[data-name]")]
    .map((row) => {
      const { name = "", side = "", landmarks, settled } = /** @type {HTMLElement} */ (row).dataset;
      return { name, side, value: Number(landmarks), settled: Number(settled) };
    })
    .filter(({ value }) => value > 0);

/** @param {HTMLElement} into */
export function drawTree(into) {
  const all = leaves();
  if (!all.length) {
    into.textContent = "No class has a super-category yet.";
    return;
  }
  const sides = ["natural", "human-made"].map((side) => ({ name: side, children: all.filter((leaf) => leaf.side === side) }));
  const root = window.d3.hierarchy({ name: "", children: sides.filter(({ children }) => children.length) }).sum((/** @type {any} */ leaf) => leaf.value ?? 0);
  root.sort((/** @type {any} */ one, /** @type {any} */ other) => (other.value ?? 0) - (one.value ?? 0));
  window.d3.treemap().size([into.clientWidth, into.clientHeight]).paddingInner(2).round(true)(root);
  into.replaceChildren(...root.leaves().map(cell));
}

/** @param {any} node a leaf with its corners */
function cell(node) {
  const { name, side, value, settled } = node.data;
  const [width, height] = [node.x1 - node.x0, node.y1 - node.y0];
  const element = document.createElement("button");
  element.type = "button";
  element.className = `tree-cell tree-${side === "natural" ? "natural" : "human"}`;
  element.dataset.name = name;
  element.dataset.side = side;
  element.dataset.open = "super";
  const share = Math.round((100 * settled) / value);
  element.title = `${name}: ${number(value)} landmarks, ${share}% settled, ${side}`;
  Object.assign(element.style, { left: `${node.x0}px`, top: `${node.y0}px`, width: `${width}px`, height: `${height}px` });
  if (width > WIDE && height > HIGH) {
    const [what, much] = [document.createElement("b"), document.createElement("span")];
    what.textContent = name;
    much.textContent = `${number(value)}, ${share}%`;
    element.append(what, ...(height > HIGH + 14 ? [much] : []));
  } else {
    element.classList.add("is-small");
    element.setAttribute("aria-label", name);
  }
  return element;
}
