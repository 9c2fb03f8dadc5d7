/** A name for what is ticked (`r`), and where a cluster goes (`m`). */
import { say } from "../bench.js";
import { NOTHING, number, subject, work } from "../ticks.js";
import { act } from "../write.js";
import { finder, groups, names } from "./labels.js";
import { pick } from "./pick.js";

/** @typedef {import("./pick.js").Item} Item */

const likeliest = () => [...document.querySelectorAll("#work .choice")].map((choice) => /** @type {HTMLElement} */ (choice).dataset.label ?? "");

/** What an action would be about, in words. */
function about(/** @type {HTMLFormElement | null} */ form) {
  const { qids, all } = subject(form);
  if (all) return `${number(Number(form?.dataset.matching))} classes, unseen ones included`;
  if (qids.length !== 1) return `${number(qids.length)} ticked classes`;
  return form?.querySelector(`[data-qid="${CSS.escape(qids[0])}"] .member-label`)?.textContent ?? "one class";
}

/**
 * Finds names: the likeliest first while nothing is typed, a new one last.
 * @param {(name: string, side: string) => void} take
 * @param {string} [kind]
 * @returns {(query: string) => Item[]}
 */
export function nameFinder(take, kind) {
  const all = names();
  const first = likeliest();
  const ordered = [...first.flatMap((name) => all.filter((one) => one.name === name)), ...all.filter(({ name }) => !first.includes(name))];
  const find = finder(ordered, ({ name }) => name);
  const side = /** @type {HTMLElement | null} */ (document.querySelector("#work .choice"))?.dataset.side ?? "human-made";
  return (query) => {
    const found = query ? find(query) : ordered;
    const items = found.map(({ name, side: its, landmarks }) => ({
      kind,
      text: name,
      side: its || side,
      hint: landmarks ? `${number(landmarks)} landmarks` : "not used yet",
      take: (/** @type {string} */ chosen) => take(name, chosen),
    }));
    const isKnown = all.some(({ name }) => name.trim().toLowerCase() === query.toLowerCase());
    if (query && !isKnown) items.push({ kind, text: `new: ${query}`, side, hint: "a super-category of your own", take: (chosen) => take(query, chosen) });
    return items;
  };
}

export function openNames() {
  const form = work();
  if (!subject(form).qids.length) return say(NOTHING);
  const take = (/** @type {string} */ label, /** @type {string} */ side) => act({ action: "assign", label, side, go: form?.id === "work" ? "on" : "stay" }, form);
  pick({ title: "Give a name", about: about(form), find: nameFinder(take), sides: true, asksAtOnce: true });
}

/** What is ticked goes to a name, or the whole cluster into another one. */
export function openMove() {
  const form = work();
  const here = document.getElementById("bench")?.dataset.group;
  const byName = nameFinder((label, side) => act({ action: "assign", label, side, go: "on" }, form), `Give ${about(form)} the name`);
  const others = groups().filter(({ group }) => group !== here);
  const near = [...document.querySelectorAll(".near-part .near a:not([data-qid])")].map((link) => new URL(/** @type {HTMLAnchorElement} */ (link).href).searchParams.get("g"));
  const ordered = [...others.filter(({ group }) => near.includes(group)), ...others.filter(({ group }) => !near.includes(group))];
  const find = finder(others, ({ name }) => name);
  const find2 = (/** @type {string} */ query) => {
    const found = (query ? find(query) : ordered).slice(0, 20);
    return found.map(({ group, name, answer, size }) => ({ kind: "Merge the whole cluster with", text: name, hint: `${answer}, ${size}`, take: () => act({ action: "merge", group: here ?? "", into: group, go: group }, form) }));
  };
  pick({ title: "Move or merge", find: (query) => [...byName(query).slice(0, query ? 20 : 6), ...find2(query)], sides: true, asksAtOnce: true });
}
