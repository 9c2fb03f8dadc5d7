/** The one field that takes what is typed after a key: names, groups, places, commands, remarks. */
import { alone } from "./server.js";

/** @typedef {{title: string, about?: string, mark?: string, value: unknown, isNew?: boolean}} Option */

const box = () => /** @type {HTMLDialogElement} */ (document.getElementById("pick"));
const field = () => /** @type {HTMLInputElement} */ (document.getElementById("pick-text"));
const list = () => document.getElementById("pick-list");

/** Without case and accents. */
export const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** @type {Option[]} */
let options = [];
let chosen = -1;

const say = (text) => (document.getElementById("pick-about").textContent = text);

/**
 * Opens the field.
 * @param {string} title
 * @param {string} about what it is about
 * @param {(text: string) => Option[] | Promise<Option[]>} find
 * @param {(option: Option | null, text: string) => void} take null: a text alone
 */
function open(title, about, find, take) {
  document.getElementById("pick-title").textContent = title;
  say(about);
  field().value = "";
  /** @type {Promise<void> | null} */
  let latest = null; // what is being looked for
  const look = () => {
    const text = field().value;
    const found = find(text);
    if (Array.isArray(found)) return fill(found);
    const asked = found.then((those) => {
      if (text === field().value) fill(those);
      if (latest === asked) latest = null;
    });
    latest = asked;
  };
  field().oninput = look;
  box().onkeydown = async (event) => {
    event.stopPropagation(); // the page has none of its keys
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter" && !event.isComposing && event.keyCode !== 229 && !event.repeat) {
      event.preventDefault();
      if (latest) await alone(() => latest); // of what is in the field now
      if (options.length && chosen < 0) return say([about, "choose one with ↓, then Enter"].filter(Boolean).join(" · ")); // a new name is made on purpose
      finish(options[chosen] ?? null);
    }
  };
  list().onclick = (event) => {
    const place = [...list().children].indexOf(event.target.closest("[role=option]"));
    if (place >= 0) finish(options[place]);
  };
  const finish = (option) => {
    const text = field().value.trim();
    if (!option && !text) return;
    box().close();
    take(option, text);
  };
  box().showModal();
  field().focus();
  look();
}

function fill(found) {
  options = found;
  list().replaceChildren(
    ...found.map((option, place) => {
      const item = Object.assign(document.createElement("li"), { id: `pick-${place}`, role: "option" });
      if (option.mark) item.append(Object.assign(document.createElement("span"), { className: `sign sign-${option.mark}` }));
      item.append(Object.assign(document.createElement("b"), { textContent: option.title }));
      if (option.about) item.append(" ", Object.assign(document.createElement("small"), { textContent: option.about }));
      return item;
    }),
  );
  // Nothing is taken that was neither typed nor walked to.
  choose(field().value.trim() ? found.findIndex((option) => !option.isNew) : -1);
}

function choose(place) {
  chosen = options.length ? Math.min(Math.max(place, -1), options.length - 1) : -1;
  [...list().children].forEach((item, number) => item.setAttribute("aria-selected", String(number === chosen)));
  field().setAttribute("aria-activedescendant", chosen < 0 ? "" : `pick-${chosen}`);
  list().children[chosen]?.scrollIntoView({ block: "nearest" });
}

/** What is exactly so first, then what begins so, then what has it. */
function matching(text, rows, words) {
  const wanted = fold(text.trim());
  const rank = (row) => {
    const name = fold(words(row)[0]);
    return name === wanted ? 0 : name.startsWith(wanted) ? 1 : name.includes(wanted) ? 2 : 3;
  };
  return rows.filter((row) => words(row).some((one) => fold(one).includes(wanted))).sort((one, other) => rank(one) - rank(other));
}

const MOST = 12;
const sign = (side) => (side === "natural" ? "natural" : "human");

/** A super-category: what exists first; a new one, natural or human-made, is made on purpose. */
export function pickName(title, about, take) {
  const names = JSON.parse(document.getElementById("suggestions").textContent);
  open(
    title,
    about,
    (text) => {
      const found = matching(text, names, ([label]) => [label]).slice(0, MOST);
      const options = found.map(([label, side]) => ({ title: label, mark: sign(side), value: { label } }));
      const name = text.trim();
      if (!name || names.some(([label]) => fold(label.trim()) === fold(name))) return options;
      const made = ["natural", "human-made"].map((side) => ({ title: name, about: `new, ${side}`, mark: sign(side), value: { label: name, side }, isNew: true }));
      return [...options, ...made];
    },
    (option) => option && take(option.value),
  );
}

/** Another group, the nearest first. */
export function pickGroup(title, take) {
  const near = [...document.querySelectorAll(".near [data-group-to]")].map((one) => one.dataset.groupTo);
  const place = (group) => (near.includes(group) ? near.indexOf(group) : near.length);
  const groups = [...document.querySelectorAll("#groups [data-group]")]
    .filter((one) => !one.ariaCurrent && one.dataset.group !== "*")
    .map((one) => ({ title: one.querySelector("b").textContent, about: one.querySelector("small").textContent, value: one.dataset.group }))
    .sort((one, other) => place(one.value) - place(other.value));
  open(title, "", (text) => matching(text, groups, (one) => [one.title, one.about]).slice(0, MOST), (option) => option && take(option.value));
}

/** A class or a landmark, anywhere. */
export function pickPlace(take) {
  const find = async (text) => {
    if (!text.trim()) return [];
    const response = await fetch(`/go?${new URLSearchParams({ q: text })}`);
    return (await response.json()).map((one) => ({ title: one.title, about: one.about, value: one }));
  };
  open("Go to", "A class, a Q-id or a landmark", find, (option) => option && take(option.value));
}

/** A command, by its title or other words for it. */
export function pickAction(actions, take) {
  const rows = actions.map((one) => ({ title: one.title, about: one.key, words: one.words, value: one.name }));
  open("More", "", (text) => matching(text, rows, (one) => [one.title, one.words, one.value]), (option) => option && take(option.value));
}

/** A text. */
export function writeText(title, about, take) {
  open(title, about, () => [], (_, text) => take(text));
}
