/** The list of all keys, made of the same table that presses them. */
import { open } from "../dialogs/layers.js";
import { KEYS, shown } from "./table.js";

export function openHelp() {
  const body = /** @type {HTMLElement} */ (document.getElementById("help-body"));
  if (!body.childElementCount) {
    const rows = KEYS.filter(({ part }) => part);
    for (const part of new Set(rows.map((row) => row.part))) body.append(section(part, rows.filter((row) => row.part === part)));
  }
  open("help");
}

/** @param {string} title @param {import("./table.js").Key[]} rows */
function section(title, rows) {
  const element = document.createElement("section");
  const list = document.createElement("dl");
  for (const { key, says } of rows) {
    const [term, kbd, what] = ["dt", "kbd", "dd"].map((tag) => document.createElement(tag));
    kbd.textContent = shown(key);
    term.append(kbd);
    what.textContent = says;
    list.append(term, what);
  }
  const heading = document.createElement("h3");
  heading.textContent = title;
  element.append(heading, list);
  return element;
}
