// Searches the index: small files that each have the landmarks of one beginning of a word. They are loaded as
// scripts which call searchPart, because a page that was opened as a file may not fetch anything.
(() => {
  const SHOWN = 60;
  const WAIT_MS = 150;
  const found = /** @type {HTMLElement} */ (document.getElementById("found"));
  const field = /** @type {HTMLInputElement} */ (document.getElementById("q"));
  /** @type {Map<string, Promise<any>>} */
  const parts = new Map();
  /** @type {Map<string, (content: any) => void>} */
  const waiting = new Map();
  const index = new Promise((done) => waiting.set("index", done));
  let asked = 0;

  window.searchPart = (/** @type {string} */ key, /** @type {any[]} */ ...content) => waiting.get(key)?.(content);

  const count = (/** @type {number} */ n, noun = "") => `${n.toLocaleString("en").replaceAll(",", "\u202f")}${noun && ` ${noun}${n === 1 ? "" : "s"}`}`;
  const fold = (/** @type {string} */ text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("ß", "ss");
  const wordsOf = (/** @type {string} */ text) => fold(text).match(/[\p{L}\p{N}]+/gu) ?? [];
  const begins = (/** @type {string} */ text, /** @type {string} */ word) => wordsOf(text).some((one) => one.startsWith(word));
  const hex = (/** @type {string} */ key) => [...new TextEncoder().encode(key)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const nameOf = (/** @type {string} */ key) => (/^[a-z0-9]+$/.test(key) ? `w-${key}` : `x-${hex(key)}`);

  function load(/** @type {string} */ key) {
    if (!parts.has(key)) parts.set(key, new Promise((done, fail) => {
      const script = document.createElement("script");
      waiting.set(key, done);
      script.addEventListener("error", () => fail(new Error(script.src)));
      script.src = `search/${nameOf(key)}.js`;
      document.head.append(script);
    }));
    return /** @type {Promise<any>} */ (parts.get(key));
  }

  /** The landmarks with a word: how many its file counts, and those of them that it has. */
  async function landmarksWith(/** @type {string} */ word, /** @type {Set<string>} */ keys) {
    let key = "";
    for (const letter of word) {
      if (!keys.has(key + letter)) break;
      key += letter;
    }
    return key ? load(key) : [0, []];
  }

  async function search(/** @type {string} */ query) {
    const [keys, labels] = await index;
    const words = wordsOf(query);
    if (!words.length) return { labels: [], landmarks: [], isAll: true, all: labels };
    const answers = await Promise.all(words.map((word) => landmarksWith(word, new Set(keys))));
    const [total, rows] = answers.reduce((one, other) => (other[0] < one[0] ? other : one));
    const hasAll = (/** @type {string} */ text) => words.every((word) => begins(text, word));
    const whole = words.join(" ");
    const rank = (/** @type {any[]} */ [, , , , title]) => [wordsOf(title).join(" ")].map((name) => (name === whole ? 0 : name.startsWith(whole) ? 1 : 2))[0];
    const landmarks = rows.filter((/** @type {any[]} */ row) => hasAll(row.slice(4).join(" ")));
    landmarks.sort((/** @type {any[]} */ one, /** @type {any[]} */ other) => rank(one) - rank(other)); // stable: most images first
    return { labels: labels.filter((/** @type {any[]} */ [, title]) => hasAll(title)), landmarks, isAll: total === rows.length, all: labels };
  }

  function element(/** @type {string} */ tag, /** @type {string} */ name, /** @type {(Node | string)[]} */ ...inside) {
    const made = document.createElement(tag);
    made.className = name;
    made.append(...inside);
    return made;
  }

  function link(/** @type {string} */ address, /** @type {string} */ name, /** @type {(Node | string)[]} */ ...inside) {
    const made = /** @type {HTMLAnchorElement} */ (element("a", name, ...inside));
    made.href = address;
    return made;
  }

  const sign = (/** @type {string} */ side) => (side ? element("span", `sign sign-${side === "natural" ? "natural" : "human"}`, element("span", "vh", `${side}: `)) : "");
  const label = (/** @type {any[]} */ [path, title, side, size]) => element("li", "", link(path, "", sign(side), title), " ", element("span", "muted", count(size, "landmark")));

  function landmark(/** @type {any[]} */ [path, place, images, space, title, className, numbers], /** @type {any[]} */ labels) {
    const [, name, side] = labels[place];
    const counts = `${images ? `${count(images, "image")} · ` : ""}${space} ${numbers.split(" ", 1)[0]}`;
    return element("li", "card landmark-card", link(path, "card-link", element("span", "card-title", title), element("span", "card-class", sign(side), name, className && ` · ${className}`), element("span", "card-counts", counts)));
  }

  function show(/** @type {string} */ query, /** @type {any} */ { labels, landmarks, isAll, all }) {
    const shown = [];
    if (labels.length) shown.push(element("h2", "", "Labels"), element("ul", "tags found-labels", ...labels.map(label)));
    if (landmarks.length) {
      const total = `${count(landmarks.length)}${isAll ? "" : " or more"}`;
      const told = landmarks.length > SHOWN ? `${SHOWN} of ${total}; more words find fewer` : total;
      shown.push(element("h2", "", "Landmarks ", element("small", "muted", told)), element("ul", "cards is-list", ...landmarks.slice(0, SHOWN).map((/** @type {any[]} */ row) => landmark(row, all))));
    }
    if (!shown.length && query.trim()) shown.push(element("p", "empty", `Nothing has “${query}”. Try fewer letters, or `, link("index.html", "", "look through the hierarchy"), "."));
    found.replaceChildren(...shown);
  }

  async function run() {
    const mine = ++asked;
    const query = field.value.slice(0, 200);
    history.replaceState(null, "", query ? `?${new URLSearchParams({ q: query })}` : location.pathname);
    try {
      const answer = await search(query);
      if (mine === asked) show(query, answer);
    } catch (error) {
      found.replaceChildren(element("p", "empty", `The search index cannot be read (${error}). Reload the page.`));
    }
  }

  let timer = 0;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(run, WAIT_MS);
  });
  field.form?.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  field.value = new URLSearchParams(location.search).get("q") ?? "";
  if (field.value) run();
  field.focus({ preventScroll: true });
})();
