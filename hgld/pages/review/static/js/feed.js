/** What others do, within a second; quietly, and never under an open dialog but that of the guesses. */
import { bench, bringRest, isBusy, isComing, onceIdle, refresh } from "./bench.js";
import { onLastClose, openSay, sentence, topLayer } from "./dialogs/layers.js";
import { catchUpFills } from "./views/fills.js";

const NEWS_MS = 30_000;
const REST_MS = 200; // after a group is shown: who goes on at once does not wait for what is out of sight
const PAUSE_MS = 600; // after the last key: what came is shown before the next, whose answer then has less to bring

/** The newest that is known to be there. */
const newest = { line: 0, scored: 0 };
let wasLost = false;
let isStale = false;
/** Whether proposals may have been scored since the page was written, though their number is the same: that of a first scoring is. */
let mayBeScored = false;
/** Ends when what is asked for now is shown. @type {Promise<unknown> | null} */
let asking = null;
let pressed = -PAUSE_MS;
for (const kind of ["keydown", "pointerdown"]) addEventListener(kind, ({ timeStamp }) => (pressed = timeStamp), true);

/** Calls back when the person has paused. @param {() => void} work */
function onceStill(work) {
  const left = pressed + PAUSE_MS - performance.now();
  if (left > 0) setTimeout(onceStill, left, work);
  else work();
}

const saysScoring = () => bench().querySelector(".scoring") !== null;

const isBehind = () => isStale || (mayBeScored && saysScoring()) || newest.line > Number(bench().dataset.line) || newest.scored > Number(bench().dataset.scored);

/** Shows what is new as soon as nobody is in the middle of something. */
function catchUp() {
  if (!isBehind() || topLayer() !== bench()) return;
  if (asking) asking.then(catchUp);
  else if (isBusy()) onceIdle(catchUp);
  else if (isStale) location.reload();
  else ask();
}

function ask() {
  mayBeScored = false;
  asking = refresh().then((isDone) => {
    asking = null;
    if (isDone) return;
    mayBeScored = true;
    onceIdle(catchUp);
  });
}

let bringing = 0;

/** What is out of sight of a group that was just opened comes when the person does not go on at once. */
function bringLater() {
  clearTimeout(bringing);
  if (!isComing()) return;
  bringing = window.setTimeout(() => {
    if (!isBusy() && topLayer() === bench()) bringRest();
  }, REST_MS);
}

/** Names out of sight that are others come when the person scrolls, or has paused. */
function bringNames() {
  if (!Number(document.getElementById("names")?.dataset.behind) || topLayer() !== bench()) return;
  if (isBusy()) onceIdle(bringNames);
  else refresh();
}

/** @param {Event} event */
const onScroll = ({ target }) => target instanceof Element && target.id === "names-scroll" && bringNames();

/** Proposals that are scored again bring them too. */
const bringNamesLater = () => onceStill(() => saysScoring() || bringNames());

/** Writes what another person did where it can be read, with a link to it. */
function tell(/** @type {string} */ text, /** @type {string} */ group) {
  const others = document.getElementById("others");
  if (!others) return;
  const link = document.createElement("a");
  link.href = `/?${new URLSearchParams({ g: group })}`;
  link.dataset.go = "";
  link.textContent = "Show";
  link.addEventListener("click", () => setTimeout(() => others.replaceChildren()));
  others.replaceChildren(text, " ", link);
  setTimeout(() => link.isConnected && others.replaceChildren(), NEWS_MS);
}

/** @param {MessageEvent<string>} event */
function onLine(event) {
  const { line, reviewer, text, groups } = JSON.parse(event.data);
  newest.line = Math.max(newest.line, line);
  const isOther = reviewer !== bench().dataset.reviewer;
  if (isOther) tell(`${reviewer} ${text}`, groups?.[0] ?? "");
  catchUp();
  catchUpFills(newest.line, isOther ? `${reviewer} ${text}.` : "");
  bringNamesLater();
}

/** Pictures can be shown now, or the log cannot be read: the page says which. @param {MessageEvent<string>} event */
function onOther(event) {
  const { kind, text } = JSON.parse(event.data);
  if (kind === "problem") openSay(sentence(text));
  else if (topLayer() === bench()) onceIdle(refresh);
}

/** @param {MessageEvent<string>} event */
function onScored(event) {
  newest.scored = Math.max(newest.scored, JSON.parse(event.data).scored);
  mayBeScored = true;
  onceStill(catchUp);
}

export function follow() {
  const source = new EventSource(`/feed?line=${bench().dataset.line}`);
  source.addEventListener("line", onLine);
  source.addEventListener("scored", onScored);
  source.addEventListener("pictures", onOther);
  source.addEventListener("problem", onOther);
  source.addEventListener("error", () => {
    wasLost = true;
    // Closed for good (an answer that is no stream): try again by hand.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
  });
  source.addEventListener("open", () => {
    // A server that was started again has another token: the page is made anew.
    isStale ||= wasLost;
    mayBeScored = true; // before the feed was there
    catchUp();
  });
  onLastClose(catchUp);
  onLastClose(bringNamesLater);
  onLastClose(bringLater);
  document.addEventListener("bench-idle", bringLater);
  document.addEventListener("scroll", onScroll, true);
}
