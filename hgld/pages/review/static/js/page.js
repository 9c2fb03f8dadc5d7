/** The page: what is pressed becomes an action, and the page becomes what the server wrote. */
import { ask, busy, load, place, send, showing } from "./server.js";
import { pickName, pickPlace, pickGroup, pickAction, writeText } from "./pick.js";
import { zoomFrom } from "./zoom.js";

/** @typedef {{name: string, key: string, title: string, words: string, acts_on: string, asks: string, opens: string, address: string, on_bar: boolean, writes: boolean}} Action */

/** @type {Action[]} */
const ACTIONS = JSON.parse(document.getElementById("actions").textContent);
const BY_KEY = new Map(ACTIONS.filter((one) => one.key).map((one) => [one.key, one]));
const BY_NAME = new Map(ACTIONS.map((one) => [one.name, one]));
const TEXT = "input:not([type=checkbox]), textarea, select";
const MOST = 2000; // classes that are drawn
const LARGE = 12; // classes of an edit that is taken back: more are seldom in sight

const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const desk = () => document.getElementById("desk");

// ---- Rows: one is in focus, some are ticked, and these are what a key acts on.

let focused = "";

const rows = () => all("#rows [data-qid]");
const row = (qid) => document.getElementById(`m-${qid}`);
const ticked = () => rows().filter((one) => $("input", one)?.checked);
const sure = () => rows().filter((one) => one.classList.contains("is-sure"));
const targets = () => {
  const chosen = ticked();
  const own = row(focused);
  return chosen.length ? chosen : own ? [own] : [];
};

function isInSight(element) {
  const pane = document.getElementById("rows").getBoundingClientRect();
  const box = element.getBoundingClientRect();
  return box.height > 0 && box.bottom > pane.top + 4 && box.top < pane.bottom - 4;
}
const inSight = (elements) => elements.filter(isInSight).length;

function focusOn(qid, { scrolls = true } = {}) {
  const next = row(qid) ?? rows().find((one) => one.classList.contains("is-open")) ?? rows()[0];
  focused = next?.dataset.qid ?? "";
  for (const one of rows()) one.setAttribute("aria-selected", String(one === next));
  if (next) {
    if (scrolls) next.scrollIntoView({ block: "nearest" });
    if (!$("dialog[open]") && !document.activeElement?.matches(TEXT)) next.focus({ preventScroll: true });
  }
  mark();
}

/** Says on the page what a key would act on, before it is pressed. */
function mark() {
  const about = targets();
  for (const one of rows()) one.classList.toggle("is-target", about.includes(one));
  for (const [name, by] of [["previous", -1], ["next", 1]]) $(`[data-action=${name}]`)?.toggleAttribute("disabled", !beside(by));
  const told = document.getElementById("target");
  if (!told) return;
  const seen = inSight(about);
  const many = `${about.length} classes${seen < about.length ? `, ${seen} in sight` : ""}`;
  const accepts = $("[data-action=accept]");
  $("span", accepts).textContent = ticked().length ? `Accept ticked (${about.length})` : `Accept sure (${accepts.dataset.sure})`;
  told.textContent = about.length === 1 ? (ticked().length ? "1 ticked: " : "On: ") + $("b", about[0]).textContent : about.length ? many : "";
}

function step(by) {
  const list = rows();
  const here = list.findIndex((one) => one.dataset.qid === focused);
  focusOn(list[Math.min(Math.max(here + by, 0), list.length - 1)]?.dataset.qid ?? "");
}

/** Has more classes drawn: those near the window are, the others come before one sees them. */
const drawMore = (by) => load(place({ rows: Number(desk().dataset.rows) + by })).then(() => focusOn(focused, { scrolls: false }));

function drawWhatComes() {
  const more = $("[data-more]");
  const pane = document.getElementById("rows").getBoundingClientRect();
  if (more && !busy() && more.getBoundingClientRect().top < pane.bottom + pane.height) drawMore(120);
}

async function tickAll() {
  if ($("[data-more]")) await drawMore(MOST);
  const open = rows().filter((one) => one.classList.contains("is-open"));
  const boxes = open.map((one) => $("input", one));
  const isOn = !boxes.every((box) => box.checked);
  for (const one of ticked()) $("input", one).checked = false;
  for (const box of boxes) box.checked = isOn;
  mark();
}

/** The class to stand on when some of a group are done with. */
function after(done) {
  const list = rows();
  const last = Math.max(...done.map((one) => list.indexOf(one)));
  const left = (one) => !done.includes(one) && one.classList.contains("is-open");
  return (list.slice(last + 1).find(left) ?? list.find(left))?.dataset.qid ?? focused;
}

// ---- Actions.

const goTo = (changes, qid = "") => load(place(changes), { pushes: true }).then(() => focusOn(qid || focused));

function run(action, given = {}) {
  if (action.writes && "readOnly" in document.body.dataset) return;
  const opener = OPENERS[action.opens];
  if (opener && !("label" in given || "why" in given || "to" in given || "into" in given)) return opener(action);
  if (action.address) return location.assign(action.address);
  const done = MOVES[action.name];
  if (done) return done();
  if (busy()) return; // it would act on what is not shown yet
  if (action.acts_on === "log") return switchLast(action);
  if (action.name === "accept" && ticked().length) return act(BY_NAME.get("accept_row"), given);
  if (action.name === "accept" && $("[data-action=accept]").dataset.sure === "0") return goOn();
  return act(action, given);
}

function act(action, given) {
  const about = action.acts_on === "sure" ? sure() : targets();
  const fields = { ...FIELDS[action.name]?.(), ...given };
  if (action.acts_on === "name" && !Number($(`#names [data-name="${CSS.escape(fields.label)}"]`)?.dataset.classes)) return say(`No class is decided as ${fields.label || "a super-category"} here yet.`);
  const body = place({ ...fields, action: fields.action ?? action.name });
  if (action.acts_on === "sure") body.set("beyond", $("[data-action=accept]").dataset.beyond);
  if (action.acts_on === "sure" || action.acts_on === "rows") {
    if (!about.length && body.get("beyond") !== "1") return say("No class is shown that this could be about.");
    for (const one of about) body.append("qid", one.dataset.qid);
  }
  const seen = inSight(about);
  const outOfSight = action.acts_on === "rows" && seen < about.length;
  if (action.asks === "always" || (action.asks === "out of sight" && outOfSight)) {
    body.set("asks", "1");
    if (outOfSight) body.set("sight", String(seen));
  }
  const next = action.name === "clear" || !about.length ? focused : after(about);
  return send("/act", body, { key: action.key, then: () => focusOn(next) });
}

function switchLast(action) {
  const { number = "0", classes = "0", text = "" } = $(`[data-action=${action.name}]`)?.dataset ?? {};
  if (number === "0") return say("Nothing of yours is left for that.");
  const go = () => send(`/${action.name}`, place(), { then: () => focusOn(focused) });
  if (Number(classes) <= LARGE || Number(desk().dataset.told) >= Number(number)) return go();
  return ask(`${action.title}: ${text}?`, action.key, go);
}

function beside(by) {
  const groups = all("#groups [data-group]");
  return groups[groups.findIndex((one) => one.ariaCurrent) + by];
}
const goBy = (by) => beside(by) && goTo({ g: beside(by).dataset.group });

function goOn() {
  const groups = all("#groups [data-group]").filter((one) => one.dataset.group !== "*");
  const here = groups.findIndex((one) => one.ariaCurrent);
  const next = [...groups.slice(here + 1), ...groups.slice(0, Math.max(here, 0))].find((one) => one.dataset.state === "open");
  if (next) return goTo({ g: next.dataset.group });
  const left = rows().filter((one) => one.classList.contains("is-open")).length;
  return say(left ? `Unsure, ${left} here: name or accept each; a accepts one.` : "Every group of this list is settled.");
}

const label = () => document.getElementById("group-name")?.dataset.label ?? "";

/** What is said beside the classes. */
const FIELDS = {
  natural: () => ({ action: "side", label: label(), side: "natural" }),
  "human-made": () => ({ action: "side", label: label(), side: "human-made" }),
  rename: () => ({ label: label() }),
};

/** What takes the typing that follows, whatever it could act on. */
const OPENERS = {
  name: (action) => pickName("Name", about(), (name) => run(action, name)),
  rename: (action) => pickName("Rename or merge", label() ? `All classes of ${label()}` : "No super-category is open", ({ label: to, ...side }) => run(action, { to, ...side })),
  merge: (action) => pickGroup(`Merge ${$("#h-group")?.textContent ?? ""} into`, (group) => run(action, { into: group })),
  comment: (action) => writeText("Comment", about(), (why) => run(action, { why })),
  doubt: (action) => writeText("Why is it doubtful?", about(), (why) => run(action, { why })),
  go: () => pickPlace((found) => goTo({ g: found.group, q: "", f: [] }, found.class_qid)),
  filter: () => showPane("groups") || document.getElementById("q")?.select(),
  palette: () => pickAction(ACTIONS.filter((one) => !(one.writes && "readOnly" in document.body.dataset)), (name) => run(BY_NAME.get(name))),
  help: () => document.getElementById("help").showModal(),
};
const about = () => document.getElementById("target")?.textContent ?? "";

const MOVES = {
  down: () => step(1),
  up: () => step(-1),
  tick: () => toggle(row(focused)),
  tick_all: tickAll,
  next: () => goBy(1),
  previous: () => goBy(-1),
  pictures: () => zoomFrom($(".picture", row(focused) ?? document)),
};

function toggle(element) {
  const box = element && $("input", element);
  if (box) box.checked = !box.checked;
  mark();
}

function say(text) {
  const told = document.getElementById("said");
  told.className = "said";
  told.textContent = text;
  desk().dataset.told = "0"; // what was done last stands there no more
}

// ---- Keys: held ones do nothing, and a field or dialog that is open has all of them.

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey) return;
  if ($("dialog[open]") || event.target.matches(TEXT)) return;
  const key = { ArrowDown: "j", ArrowUp: "k" }[event.key] ?? event.key;
  const onControl = event.target.closest("button, a, summary, input");
  if (onControl && (key === "Enter" || key === " ")) return; // the browser presses it
  const action = BY_KEY.get(key);
  const button = $(`[data-key="${CSS.escape(key)}"]:not(:disabled)`);
  if (!action && !button) return;
  if (!button && !action.address && !$("#groups")) return; // the other views have the keys of their buttons alone
  event.preventDefault();
  const moves = key === "j" || key === "k";
  if (event.repeat && !moves) return;
  if (button) button.click();
  else run(action);
});

document.addEventListener("click", (event) => {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = target.closest("[data-group], [data-group-to], [data-filter]");
  if (link && $("#rows, #groups")) {
    event.preventDefault();
    const { group, groupTo, filter } = link.dataset;
    showPane("group");
    if (filter) return goTo({ q: filter, f: [], g: "" });
    return goTo({ g: group ?? groupTo });
  }
  const picture = target.closest(".picture");
  if (picture) return zoomFrom(picture);
  const choice = target.closest("[data-action=choose]");
  if (choice) return run({ ...BY_NAME.get("name"), opens: "", key: choice.dataset.key }, { label: choice.dataset.label, side: choice.dataset.side });
  const button = target.closest("[data-action]");
  if (button && BY_NAME.has(button.dataset.action)) return run(BY_NAME.get(button.dataset.action));
  const clicked = target.closest("[data-qid]");
  if (clicked && !target.closest("a")) {
    focusOn(clicked.dataset.qid, { scrolls: false });
    return target.matches("input") ? mark() : undefined;
  }
  const pane = target.closest("[data-pane]");
  if (pane && pane.tagName === "BUTTON") return showPane(pane.dataset.pane);
  if (target.closest("[data-more]")) return drawMore(120);
  if (target.closest("[data-clear]")) return goTo({ q: "", f: [], g: "" });
  const posts = target.closest("[data-post]");
  if (posts) {
    const go = () => send(posts.dataset.post, new URLSearchParams(JSON.parse(posts.dataset.fields ?? "{}")));
    return posts.dataset.asks ? ask(posts.dataset.asks, "", go) : go();
  }
  const rename = target.closest("[data-rename]");
  if (rename) return pickName("Rename or merge", rename.dataset.rename, ({ label: to, ...side }) => send("/act", new URLSearchParams({ action: "rename", asks: "1", label: rename.dataset.rename, to, ...side })));
  const sort = target.closest("[data-sort]");
  if (sort) return sortTable(sort);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.id === "filter") {
    event.preventDefault();
    document.activeElement?.blur(); // the row that is shown then takes the focus, and the next key
    goTo({ q: document.getElementById("q").value, g: "" });
  }
  if (form.dataset.quietPost) {
    event.preventDefault();
    send(form.dataset.quietPost, new URLSearchParams(new FormData(form)), { then: () => location.reload() });
  }
});
document.addEventListener("change", (event) => {
  if (event.target.dataset.upload) return upload(event.target);
  if (event.target.matches("#facets input")) goTo({ f: all("#facets input:checked").map((one) => one.value), g: "" });
});
document.addEventListener("input", (event) => {
  if (event.target.dataset?.finds) filterTable(event.target);
});
document.addEventListener("scroll", (event) => {
  if (event.target.id !== "rows") return;
  mark();
  drawWhatComes();
}, true);

/** Sends a file, to be told first what it would do. */
async function upload(field) {
  const file = new Blob([await field.files[0].arrayBuffer()]); // as it is now, whatever is saved meanwhile
  field.value = "";
  return send(field.dataset.upload, new URLSearchParams({ asks: "1" }), { file });
}

function filterTable(field) {
  const wanted = field.value.toLowerCase();
  for (const one of all("tbody tr", document.getElementById(field.dataset.finds))) one.hidden = !one.dataset.name.toLowerCase().includes(wanted);
}

function sortTable(button) {
  const place = Number(button.dataset.sort);
  const body = $("tbody", button.closest("table"));
  const value = (line) => line.children[place].dataset.value ?? line.dataset.name;
  const down = button.getAttribute("aria-pressed") !== "true";
  for (const one of all("[data-sort]")) one.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-pressed", String(down));
  const lines = all("tr", body).sort((one, other) => value(one).localeCompare(value(other), "en", { numeric: true }) * (down === place > 1 ? -1 : 1));
  body.append(...lines);
}

/** On a phone one pane is shown at a time. @param {string} name */
function showPane(name) {
  document.documentElement.dataset.pane = name;
}

// ---- The browser's own Back, and what others do.

window.addEventListener("popstate", () => document.getElementById("rows") ? load(new URLSearchParams(location.search)).then(() => focusOn("")) : location.reload());

function follow() {
  if (!document.getElementById("groups")) return;
  const feed = new EventSource(`/feed?line=${desk().dataset.line}`);
  let isLost = false;
  feed.onerror = () => (isLost = true);
  // A server that was started again knows nothing of this page; what is being typed stays.
  feed.onopen = () => isLost && !$("dialog[open]") && location.reload();
  feed.onmessage = ({ data }) => {
    const news = JSON.parse(data);
    if (news.is_problem) return say(news.text);
    if (news.reviewer && Number(desk().dataset.line) >= news.line) return;
    const chosen = ticked().map((one) => one.dataset.qid);
    load(place({ rows: desk().dataset.rows }), { isQuiet: true }).then((isShown) => {
      if (!isShown) return;
      for (const qid of chosen) if (row(qid)?.classList.contains("is-open")) $("input", row(qid)).checked = true;
      focusOn(focused, { scrolls: false });
      if (news.reviewer && news.reviewer !== desk().dataset.reviewer) say(`${news.reviewer} ${news.text}.`);
    });
  };
}

/** Decisions are kept with who made them. */
function askWho() {
  if (desk().dataset.reviewer !== "" || "readOnly" in document.body.dataset) return;
  writeText("Who reviews?", "Your name is kept with what you decide.", (name) => send("/name", new URLSearchParams({ name }), { then: () => location.reload() }));
}

showing(() => mark());
showPane("group");
focusOn("");
if ($("#groups")) history.replaceState(null, "", `/?${place()}`); // so that Back leads to what was open
follow();
askWho();
