/** Classes of all clusters that are similar to one, or to those ticked; how similar is a slider. */
import { say } from "../bench.js";
import { NOTHING, few } from "../ticks.js";
import { openSheet, refreshSheet } from "./sheet.js";

const SLIDER_MS = 120;
const MOST = 100;
let timer = 0;

/** @param {string[]} qids @param {string} least */
const pathOf = (qids, least) => `/similar?${new URLSearchParams([...qids.slice(0, MOST).map((qid) => ["qid", qid]), ["least", least]])}`;

export function openSimilar() {
  const qids = few();
  if (!qids.length) return say(NOTHING);
  return openSheet({ path: pathOf(qids, "0.6"), title: "Similar classes" });
}

export function listenToSimilar() {
  document.addEventListener("input", ({ target }) => {
    if (!(target instanceof HTMLInputElement) || target.id !== "least") return;
    const said = document.getElementById("least-said");
    if (said) said.textContent = Number(target.value).toFixed(2);
    const qids = new FormData(/** @type {HTMLFormElement} */ (target.form)).getAll("of").map(String);
    clearTimeout(timer);
    timer = setTimeout(() => refreshSheet(pathOf(qids, target.value)), SLIDER_MS);
  });
}
