/** One request at a time; the page says done only when the server has. */

const AWAY = "The server does not answer, so nothing is said to be done. Start it again with hgld review: what it had written is there.";
const RESTARTED = "The server was started again since this page was opened. Reload it (F5); nothing was written.";

let running = 0;
let asked = 0;
/** @type {() => void} */
let shown = () => {};

export const busy = () => running > 0;
/** Calls back whenever the page has changed. @param {() => void} callback */
export const showing = (callback) => (shown = callback);

const desk = () => document.getElementById("desk");
const dialog = () => /** @type {HTMLDialogElement} */ (document.getElementById("ask"));

/** What the page shows, as every request says it. @param {Record<string, string | string[]>} changes */
export function place(changes = {}) {
  const fields = { ...JSON.parse(desk().dataset.address ?? "{}"), ...changes };
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) if (one) body.append(name, one);
  return body;
}

/** Resolves when what was changed has been painted, or would have been in a hidden tab. */
const painted = () =>
  new Promise((done) => {
    const hidden = setTimeout(done, 120);
    requestAnimationFrame(() => setTimeout(() => (clearTimeout(hidden), done(undefined))));
  });

/** Does something that the page waits for. */
export async function alone(work) {
  running += 1;
  asked += 1;
  document.body.setAttribute("aria-busy", "true");
  try {
    return await work();
  } finally {
    await painted();
    running -= 1;
    if (!running) document.body.removeAttribute("aria-busy");
  }
}

async function fetched(path, options) {
  try {
    const response = await fetch(path, { ...options, headers: { "HX-Request": "true", "X-Review-Token": document.querySelector("meta[name=review-token]").content } });
    return { status: response.status, asks: response.headers.get("HX-Retarget") === "#ask", html: await response.text() };
  } catch {
    return { status: 0, asks: false, html: "" };
  }
}

/** Makes the page what the server wrote; what has not changed stays. */
async function show(html) {
  const written = html.includes("<html") ? new DOMParser().parseFromString(html, "text/html").getElementById("desk").outerHTML : html;
  for (const box of document.querySelectorAll("#rows input:checked")) box.checked = false;
  await window.htmx.swap({ text: written, target: "#desk", swap: "outerMorph", sourceElement: document.body });
  shown();
}

/**
 * Shows a place.
 * @param {URLSearchParams} place
 * @param {{pushes?: boolean, isQuiet?: boolean}} how whether Back leads here; whether nobody waits
 *   for it, and it gives way to what somebody does
 */
export function load(place, { pushes = false, isQuiet = false } = {}) {
  const path = `/?${place}`;
  const get = async (number) => {
    const { status, html } = await fetched(path, {});
    if (isQuiet && (asked !== number || busy() || document.querySelector("dialog[open]"))) return false;
    if (status !== 200) return isQuiet ? false : (tell(status, html), false);
    const before = desk().dataset.open;
    const said = document.getElementById("said");
    const kept = { html: said.innerHTML, name: said.className, told: desk().dataset.told };
    await show(html);
    if (isQuiet) keepSaid(kept);
    if (before !== desk().dataset.open) document.getElementById("rows")?.scrollTo(0, 0);
    if (pushes) history.pushState(null, "", path);
    return true;
  };
  return isQuiet ? (busy() ? Promise.resolve(false) : get(asked)) : alone(() => get(asked));
}

/** What others did, or new proposals, say nothing of what this person did last: that stays. */
function keepSaid({ html, name, told }) {
  const said = document.getElementById("said");
  [said.innerHTML, said.className, desk().dataset.told] = [html, name, told];
}

/**
 * Writes, and shows what came of it; or asks what the server wants to know first.
 * @param {string} path
 * @param {URLSearchParams} body
 * @param {{key?: string, then?: () => void, file?: Blob}} how the key that agrees; what is done
 *   where it is done; a file that is sent as it is, with the body in the address
 */
export function send(path, body, { key = "", then = () => {}, file } = {}) {
  return alone(async () => {
    const { line = "0", scored = "0" } = desk().dataset;
    if (!body.has("seen")) body.set("seen", line);
    body.set("scored", scored);
    if (desk().dataset.rows) body.set("rows", desk().dataset.rows); // what is drawn stays
    const { status, asks, html } = await fetched(file ? `${path}?${body}` : path, { method: "POST", body: file ?? body });
    if (status === 204) return then();
    if (status === 200 && !asks) {
      const before = desk().dataset.open;
      await show(html);
      const group = desk().dataset.open;
      if (before !== group) {
        document.getElementById("rows")?.scrollTo(0, 0);
        history.pushState(null, "", `/?${place()}`);
      }
      return then();
    }
    if (!asks && status !== 409 && status !== 422) return tell(status, html);
    open(html, key, (fields) => {
      for (const [name, value] of Object.entries(fields)) value === "" ? body.delete(name) : body.set(name, String(value));
      send(path, body, { key, then, file });
    });
  });
}

/** Asks on the page itself. @param {string} question @param {string} key that agrees @param {() => void} yes */
export function ask(question, key, yes) {
  const heading = document.createElement("h2");
  heading.id = "ask-title";
  heading.textContent = question;
  open(`${heading.outerHTML}<p class="buttons"><button type="button" class="deed deed-first" data-again="{}" data-same-key>Do it</button><button type="button" class="deed" data-close>Leave it <kbd>Esc</kbd></button></p>`, key, yes);
}

/**
 * Opens a question. Nothing in it has the focus, so that Enter and what is typed on do nothing; the
 * key that was pressed for it, pressed again at once, agrees.
 */
function open(html, key, again) {
  const box = dialog();
  document.getElementById("ask-body").innerHTML = html;
  const same = box.querySelector("[data-same-key]");
  if (same && key) same.append(" ", Object.assign(document.createElement("kbd"), { textContent: `${key} again` }));
  let isFirst = true;
  box.onkeydown = (event) => {
    event.stopPropagation(); // the page has none of its keys
    if (event.key === "Escape" || event.key === "Tab" || event.target.closest("button")) return;
    event.preventDefault();
    if (isFirst && same && event.key === key && !event.repeat) same.click();
    if (event.key !== "Shift") isFirst = false;
  };
  box.onclick = (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    box.close();
    if (button.dataset.again) again(JSON.parse(button.dataset.again));
  };
  if (!box.open) box.showModal();
  box.focus();
}

function tell(status, html) {
  const words = status === 0 ? AWAY : status === 403 ? RESTARTED : new DOMParser().parseFromString(html, "text/html").getElementById("problem")?.textContent;
  const text = document.createElement("p");
  text.textContent = words ?? "The server met an error; the history says what was written.";
  open(`<h2 id="ask-title">Not done</h2>${text.outerHTML}<p class="buttons"><button type="button" class="deed" data-close>Close <kbd>Esc</kbd></button></p>`, "", () => {});
}
