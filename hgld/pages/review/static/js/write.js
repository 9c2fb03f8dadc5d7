/** What is written: one request at a time, and the page says done only when the server has. */
import { alone, isComing, load, place, say, showBench, showLate } from "./bench.js";
import { closeAll, openSay, sentence, topLayer } from "./dialogs/layers.js";
import { dropHeld } from "./keys/press.js";
import { NOTHING, subject, work } from "./ticks.js";
import { parsed, refreshSheet, wordsOf } from "./views/sheet.js";

/** @typedef {Record<string, string>} Fields */

const ABOUT_CLASSES = new Set(["accept", "accept_confident", "assign", "ignore", "clear", "split", "doubt", "trust", "comment"]);

/** Of this window, so that what was done in it is known to be known here. */
const WINDOW = crypto.getRandomValues(new Uint32Array(4)).join("-");

/** Shows unseen classes before they are changed. */
const PREVIEWED = "/preview";

/**
 * Decides on what is ticked.
 * @param {Fields} fields `action` and what it needs
 * @param {HTMLFormElement | null} [form]
 * @param {string[]} [qids] these classes instead
 */
export function act(fields, form = work(), qids) {
  const body = new URLSearchParams({ ...place(), ...fields });
  if (!ABOUT_CLASSES.has(fields.action)) return send("/act", body);
  const about = qids ? { qids, all: false, except: [], undecided: false, unseen: 0 } : subject(form);
  if (!about.qids.length) {
    say(NOTHING);
    return Promise.resolve();
  }
  // Where all are shown, what is done is what is shown, though others put more into the group.
  if (!about.all || !about.unseen) for (const qid of about.qids) body.append("qid", qid);
  else {
    body.set("all", "1");
    if (about.undecided) body.set("undecided", "1");
    for (const qid of about.except) body.append("except", qid);
  }
  return send(about.unseen ? PREVIEWED : "/act", body);
}

/** Undo, redo, jump, revert. @param {string} path */
export const post = (path) => send(path, new URLSearchParams(place()));

/**
 * @param {string} path
 * @param {URLSearchParams} body
 */
function send(path, body) {
  return alone(async () => {
    body.set("have", place().have);
    body.set("window", WINDOW);
    if (isComing()) body.set("part", "1"); // and what is to come does not come with this answer
    const answer = await ask(path, body);
    if (!answer) return;
    if (answer.ok && path !== PREVIEWED) {
      if (topLayer().id === "say" || topLayer().id !== "sheet") closeAll("sheet");
      await showBench(answer.html);
      // Others have put the group into another: what was pressed ahead was not meant for that.
      if (body.get("go") === "stay" && body.get("g") !== place().g) dropHeld();
      await refreshSheet();
      await showLate();
      return;
    }
    dropHeld();
    // Whose version is preferred is said of what is told here: a later change is another conflict.
    const line = parsed(answer.html).querySelector("[data-told]")?.getAttribute("data-told");
    const told = /** @type {Fields} */ (line ? { told: line } : {});
    openSay(answer.html, (fields) => {
      for (const [name, value] of Object.entries({ ...told, ...fields })) body.set(name, value);
      return send(answer.ok ? "/act" : path, body);
    });
  });
}

/**
 * Writes; what the server did not take is said.
 * @param {string} path
 * @param {URLSearchParams} body
 * @param {() => unknown} [again] what is done where a person tries again
 * @returns {Promise<{ok: boolean, html: string} | null>}
 */
export async function ask(path, body, again = () => send(path, body)) {
  try {
    const response = await fetch(path, { method: "POST", body, headers: { "X-Review-Token": token(), Accept: "text/html" } });
    const html = await response.text();
    if (response.status !== 403 && response.status < 500) return { ok: response.ok, html };
    dropHeld();
    openSay(sentence(response.status === 403 ? "The server was started again since this page was opened. Reload it (F5); nothing was written." : errorWords(html)));
  } catch {
    dropHeld();
    openSay(sentence("The server does not answer, so nothing is said to be done. Start it again with hgld review: what it had written is there."), again, "Try again");
  }
  return null;
}

/** What the server says of an error. @param {string} html */
const errorWords = (html) => wordsOf(html) || "The server met an error; nothing more is known here. History (H) says what was written.";

const token = () => /** @type {HTMLMetaElement} */ (document.querySelector("meta[name=review-token]")).content;

/** A write that changes nothing that the page shows. @param {string} path @param {Fields} [fields] */
export async function postQuietly(path, fields = {}) {
  try {
    const response = await fetch(path, { method: "POST", body: new URLSearchParams(fields), headers: { "X-Review-Token": token() } });
    const html = await response.text();
    if (!response.ok) openSay(response.status < 500 ? html : sentence(errorWords(html)));
    return response.ok;
  } catch {
    openSay(sentence("The server does not answer, so nothing is said to be done. Start it again with hgld review."));
    return false;
  }
}

/** Where nothing is open any more, accepting is going on. */
function goOn() {
  const links = [...document.querySelectorAll("#groups .group")].map((link) => /** @type {HTMLAnchorElement} */ (link));
  const here = links.findIndex((link) => link.ariaCurrent);
  const next = [...links.slice(here + 1), ...links.slice(0, Math.max(here, 0))].find((link) => !link.classList.contains("is-done"));
  if (next) return load(next.search, { push: true });
  say("Every cluster of this list is settled.");
  return Promise.resolve();
}

/** What a button with `data-act` says. @param {HTMLElement} button */
export function actBy(button) {
  const { act: action, label, side, next } = button.dataset;
  const fields = /** @type {Fields} */ ({ action, go: next ?? "stay" });
  if (label !== undefined) fields.label = label;
  if (side !== undefined) fields.side = side;
  const form = /** @type {HTMLFormElement | null} */ (button.closest("form[data-work]"));
  if (next === "next" && !form?.querySelector(".member.is-open")) return goOn();
  return act(fields, form);
}
