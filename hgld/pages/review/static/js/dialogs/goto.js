/** Go to (`g`): clusters, super-categories and classes at once, landmarks from the server. */
import { load, read } from "../bench.js";
import { number } from "../ticks.js";
import { findLabels, finder, groups, loadLabels, names } from "./labels.js";
import { fill, pick } from "./pick.js";

const SEARCH_MS = 180;
let timer = 0;

const go = (/** @type {Record<string, string>} */ query, qid = "") => load(`?${new URLSearchParams(query)}`, { push: true, qid });

/** @returns {(query: string) => import("./pick.js").Item[]} */
export function placeFinder() {
  const allGroups = groups();
  const allNames = names();
  const findGroups = finder(allGroups, ({ name }) => name);
  const findNames = finder(allNames, ({ name }) => name);
  return (query) => [
    ...(query ? findGroups(query).slice(0, 8) : allGroups.slice(0, 8)).map(({ group, name, answer, size }) => ({ kind: "Clusters", text: name, hint: `${answer}, ${size}`, take: () => go({ g: group }) })),
    ...(query ? findNames(query) : allNames).slice(0, 6).map(({ name, side, landmarks }) => ({ kind: "Super-categories", text: name, side, hint: `${number(landmarks)} landmarks`, take: () => go({ q: `is:${name}` }) })),
    ...findLabels(query).map(({ q, l, n, g, a }) => ({ kind: "Classes", text: l, hint: `${q}, ${a ?? "ignored"}, ${number(n)}`, take: () => go({ g }, q) })),
  ];
}

/** Asks the server for landmarks, when typing pauses. @param {string} query @param {HTMLElement} into */
export function searchMore(query, into) {
  clearTimeout(timer);
  into.dataset.query = query;
  if (query.length < 2) return into.replaceChildren();
  timer = setTimeout(async () => {
    const response = await read(`/search?${new URLSearchParams({ q: query })}`);
    if (!response?.ok || into.dataset.query !== query) return;
    into.innerHTML = await response.text();
    // The page's own list has them already.
    if (findLabels(query).length) into.querySelector(".found-classes")?.remove();
  }, SEARCH_MS);
}

export function openGoto() {
  loadLabels().then(fill);
  pick({ title: "Go to", about: "A cluster, super-category, class, Q-id or landmark", find: placeFinder(), more: searchMore });
}
