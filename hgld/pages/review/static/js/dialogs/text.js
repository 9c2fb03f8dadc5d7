/** A line of text is asked for: a comment, what is doubtful, who reviews. */
import { say } from "../bench.js";
import { NOTHING, few, number, work } from "../ticks.js";
import { act, postQuietly } from "../write.js";
import { closeAfter, open } from "./layers.js";

const get = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {((text: string) => unknown) | null} */
let answer = null;

/**
 * @param {{title: string, about?: string, label: string, button: string, value?: string, other?: {button: string, take: () => unknown}}} asked
 * @param {(text: string) => unknown} take
 */
function ask(asked, take) {
  get("write-title").textContent = asked.title;
  get("write-about").textContent = asked.about ?? "";
  get("write-label").textContent = asked.label;
  get("write-do").textContent = asked.button;
  const other = /** @type {HTMLButtonElement} */ (get("write-other"));
  other.hidden = !asked.other;
  other.textContent = asked.other?.button ?? "";
  other.onclick = () => closeAfter("write", () => asked.other?.take());
  const text = /** @type {HTMLInputElement} */ (get("write-text"));
  text.value = asked.value ?? "";
  answer = take;
  open("write");
  text.select();
  text.focus();
}

export function listenToText() {
  get("write-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const take = answer;
    const text = /** @type {HTMLInputElement} */ (get("write-text")).value.trim();
    closeAfter("write", () => take?.(text));
  });
}

/** @param {string[]} qids @param {HTMLFormElement | null} form */
function words(qids, form) {
  if (qids.length !== 1) return `${number(qids.length)} classes`;
  return form?.querySelector(`[data-qid="${CSS.escape(qids[0])}"] .member-label`)?.textContent ?? "One class";
}

export function openComment() {
  const form = work();
  const qids = few(form);
  if (!qids.length) return say(NOTHING);
  const take = (/** @type {string} */ why) => why && act({ action: "comment", why, go: "stay" }, form, qids);
  ask({ title: "Comment", about: words(qids, form), label: "What others should know", button: "Comment" }, take);
}

export function openDoubt() {
  const form = work();
  const qids = few(form);
  if (!qids.length) return say(NOTHING);
  const isDoubtful = qids.some((qid) => form?.querySelector(`[data-qid="${CSS.escape(qid)}"] .chip-doubt`));
  const other = isDoubtful ? { button: "It is clear again", take: () => act({ action: "trust", go: "stay" }, form, qids) } : undefined;
  const take = (/** @type {string} */ why) => act({ action: "doubt", why, go: "stay" }, form, qids);
  ask({ title: "Doubtful", about: words(qids, form), label: "Why (may stay empty)", button: "Mark as doubtful", other }, take);
}

export function openName() {
  const now = document.getElementById("bench")?.dataset.reviewer ?? "";
  ask({ title: "Who reviews?", about: "The name stands at each of your decisions.", label: "Your name", button: "That is me", value: now }, async (name) => {
    if (name && (await postQuietly("/name", { name }))) location.reload();
  });
}
