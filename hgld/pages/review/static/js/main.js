/** Every control of the page, by the attribute that says what it does. */
import { bench, load, read, refresh } from "./bench.js";
import { openGoto } from "./dialogs/goto.js";
import { close, closeAfter, closeAll, openSay, sayAgain, sentence, topLayer } from "./dialogs/layers.js";
import { loadLabels } from "./dialogs/labels.js";
import { openMove, openNames } from "./dialogs/names.js";
import { openPalette } from "./dialogs/palette.js";
import { listenToPick } from "./dialogs/pick.js";
import { openSplit } from "./dialogs/split.js";
import { openSuper } from "./dialogs/super.js";
import { listenToText, openComment, openDoubt, openName } from "./dialogs/text.js";
import { listenToDrag } from "./drag.js";
import { follow } from "./feed.js";
import { focusOn, focusRow, step } from "./focus.js";
import { openHelp } from "./keys/help.js";
import { listen } from "./keys/press.js";
import { openMap } from "./map/map.js";
import { retick, tickBy } from "./ticks.js";
import { fillBy, listenToFills, openFills } from "./views/fills.js";
import { openProgress } from "./views/progress.js";
import { hideDamagedPictures } from "./views/pictures.js";
import { openSheet, refreshSheet } from "./views/sheet.js";
import { listenToSimilar, openSimilar } from "./views/similar.js";
import { actBy, post, postQuietly } from "./write.js";

const FILTER_MS = 160;

/** @type {Record<string, (pressed: HTMLElement) => unknown>} */
const OPENERS = {
  comment: openComment,
  doubt: openDoubt,
  fills: openFills,
  goto: openGoto,
  help: openHelp,
  map: openMap,
  move: openMove,
  name: openName,
  names: openNames,
  palette: openPalette,
  progress: openProgress,
  similar: openSimilar,
  split: openSplit,
  super: openSuper,
  theme: turnTheme,
};

/** What each attribute does; the first that a control has. @type {[string, (pressed: HTMLElement, event: Event) => unknown][]} */
const DEEDS = [
  ["again", sayAgain],
  ["act", actBy],
  ["fill", fillBy],
  ["quietPost", async ({ dataset }) => (await postQuietly(dataset.quietPost ?? "")) && (await refreshSheet(), refresh())],
  ["post", (pressed) => (pressed.hasAttribute("data-close") ? closeAfter(topLayer().id, () => post(pressed.dataset.post ?? "")) : post(pressed.dataset.post ?? ""))],
  ["close", (pressed) => (close(topLayer().id), pressed.hasAttribute("data-refresh") && refresh())],
  ["open", (pressed) => OPENERS[pressed.dataset.open ?? ""]?.(pressed)],
  ["sheet", ({ dataset }) => openSheet({ path: dataset.sheet ?? "" })],
  ["say", async ({ dataset }) => openSay((await (await read(dataset.say ?? ""))?.text()) ?? sentence("The server does not answer."))],
  ["tick", ({ dataset }) => tickBy(dataset.tick ?? "")],
  ["step", ({ dataset }) => step(Number(dataset.step))],
  ["pane", ({ dataset }) => showPane(dataset.pane ?? "group")],
  ["dismiss", dismissHint],
  ["go", go],
];

function turnTheme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("review-theme", root.dataset.theme);
}

function dismissHint() {
  localStorage.setItem("review-hint", "off");
  document.documentElement.classList.add("hint-off");
  focusRow(document.querySelector("#bench .member.is-open"));
}

/** On a phone there is room for one pane. */
function showPane(/** @type {string} */ pane) {
  document.documentElement.dataset.pane = pane;
  for (const tab of document.querySelectorAll(".tabs button")) tab.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (tab).dataset.pane === pane));
}

/** Follows a link within the page. @param {HTMLElement} link @param {Event} event */
function go(link, event) {
  event.preventDefault();
  closeAll();
  showPane("group");
  return load(/** @type {HTMLAnchorElement} */ (link).search, { push: true, qid: link.dataset.qid });
}

document.addEventListener("click", (event) => {
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const selector = DEEDS.map(([name]) => `[data-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}]`).join();
  const pressed = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(`:is(button, a):is(${selector})`));
  if (!pressed || pressed.matches(":disabled")) return;
  DEEDS.find(([name]) => name in pressed.dataset)?.[1](pressed, event);
});

// A click on a row makes it the one that keys are about.
document.addEventListener("focusin", ({ target }) => {
  const row = /** @type {Element} */ (target).closest(".member");
  if (!row || row.classList.contains("is-current")) return;
  for (const other of document.querySelectorAll(".member.is-current")) other.classList.remove("is-current");
  row.classList.add("is-current");
});

/** htmx put other events in the place of a button that was pressed: the focus is where they begin. */
function keepFocusInHistory() {
  if (topLayer().id !== "sheet" || document.activeElement !== document.body) return;
  /** @type {HTMLElement | null} */ (document.querySelector("#history [aria-pressed=true]"))?.focus();
}
document.addEventListener("htmx:after:swap", keepFocusInHistory);

let timer = 0;
function filter() {
  const form = /** @type {HTMLFormElement} */ (document.getElementById("find"));
  const asked = new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, String(value)]));
  asked.set("g", bench().dataset.group ?? "");
  return load(`?${asked}`);
}
document.addEventListener("input", ({ target }) => {
  if (!(target instanceof Element) || !target.matches("#q, #show")) return;
  clearTimeout(timer);
  timer = setTimeout(filter, target.id === "q" ? FILTER_MS : 0);
});
document.addEventListener("submit", (event) => event.preventDefault());
// The only one that does: htmx's own history, which loads the page beside, is off in page.html.
window.addEventListener("popstate", () => load(location.search));

listen();
listenToPick();
listenToText();
listenToSimilar();
listenToFills();
listenToDrag();
hideDamagedPictures();
showPane("group");
retick(true);
follow();
if (!bench().dataset.reviewer && !("readOnly" in bench().dataset)) openName();
else focusOn(document.querySelector("#bench .member.is-open"));
window.requestIdleCallback?.(() => loadLabels(), { timeout: 3000 });
