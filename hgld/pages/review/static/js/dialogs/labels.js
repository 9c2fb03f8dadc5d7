/** What the page can find while it is typed: super-categories, clusters, and every class. */
import MiniSearch from "../../vendor/minisearch.mjs";
import { bench, read } from "../bench.js";
import { distance } from "./pick.js";

/** @typedef {{name: string, side: string, landmarks: number}} Name */
/** @typedef {{q: string, l: string, n: number, g: string, a: string | null}} Label */

const OPTIONS = { prefix: true, fuzzy: (/** @type {string} */ term) => (term.length > 3 ? 0.25 : 0), combineWith: "AND" };

/** Every name a class can be given, the most used first. @returns {Name[]} */
export function names() {
  const known = [...document.querySelectorAll("#names tr[data-name]")].map((row) => {
    const { name = "", side = "", landmarks } = /** @type {HTMLElement} */ (row).dataset;
    return { name, side, landmarks: Number(landmarks) };
  });
  const used = new Set(known.map(({ name }) => name));
  const others = [...document.querySelectorAll("#suggestions option")].map((option) => /** @type {HTMLOptionElement} */ (option).value);
  return [...known, ...others.filter((name) => !used.has(name)).map((name) => ({ name, side: "", landmarks: 0 }))];
}

/**
 * A finder of things by one of their texts: what is typed, then what begins so, then what has a word
 * that does, each in the order given; then what is like it, the likest first.
 * @template T @param {T[]} all @param {(one: T) => string} textOf
 */
export function finder(all, textOf) {
  const index = new MiniSearch({ fields: ["text"] });
  index.addAll(all.map((one, id) => ({ id, text: textOf(one) })));
  return (/** @type {string} */ query) => {
    const found = index.search(query, OPTIONS).map(({ id }, place) => ({ id, place, far: distance(textOf(all[id]), query) }));
    found.sort((one, other) => one.far - other.far || (one.far < 3 ? one.id - other.id : one.place - other.place));
    return found.map(({ id }) => all[id]);
  };
}

/** The clusters of the list. */
export const groups = () =>
  [...document.querySelectorAll("#groups .group")].map((link) => ({
    group: /** @type {HTMLElement} */ (link).dataset.group ?? "",
    name: link.querySelector(".group-name")?.textContent ?? "",
    answer: link.querySelector(".group-answer")?.textContent?.trim() ?? "",
    size: link.querySelector(".group-size")?.textContent?.trim() ?? "",
  }));

/** @type {Map<string, Label>} */
let labels = new Map();
/** @type {InstanceType<typeof MiniSearch> | null} */
let index = null;
let line = "";

/** Fetches every class once, and again when something was decided since. */
export async function loadLabels() {
  const now = bench().dataset.line ?? "";
  if (line === now && index) return;
  const response = await read("/labels.json");
  if (!response?.ok) return;
  labels = new Map((await response.json()).map((/** @type {Label} */ label) => [label.q, label]));
  line = now;
  if (index?.documentCount === labels.size) return;
  const made = new MiniSearch({ fields: ["l", "q"], idField: "q", tokenize });
  await made.addAllAsync([...labels.values()], { chunkSize: 500 });
  index = made;
}

const tokenize = (/** @type {string} */ text) => text.toLowerCase().split(/[\s\p{P}]+/u).filter(Boolean);

/** The classes that a text finds, the nearest first, then most landmarks. @returns {Label[]} */
export function findLabels(/** @type {string} */ query, most = 20) {
  if (!index || query.length < 2) return [];
  const found = index.search(query, OPTIONS).slice(0, 200);
  return found
    .map(({ id, score }) => ({ label: labels.get(id), score, far: distance(labels.get(id)?.l ?? "", query) }))
    .filter(({ label }) => label)
    .sort((one, other) => one.far - other.far || other.score - one.score || (other.label?.n ?? 0) - (one.label?.n ?? 0))
    .slice(0, most)
    .map(({ label }) => /** @type {Label} */ (label));
}
