// Searches the files of the index: a few that each hold the words with one beginning.
(() => {
  const found = /** @type {HTMLElement} */ (document.getElementById("found"));
  const field = /** @type {HTMLInputElement} */ (document.getElementById("q"));
  const form = field?.form;
  const { index, home } = found?.dataset ?? {};
  if (!index || !form) return;
  const SHOWN = 60;
  const WAIT_MS = 150;
  const base = new URL(index, location.href);
  const site = new URL(home ?? "", location.href);
  const number = (/** @type {number} */ n) => n.toLocaleString("en").replaceAll(",", "\u202f");
  const fold = (/** @type {string} */ text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("ß", "ss");
  const wordsOf = (/** @type {string} */ text) => fold(text).match(/[\p{L}\p{N}]+/gu) ?? [];
  /** @type {Map<string, Promise<any>>} */
  const files = new Map();
  let asked = 0;

  function file(/** @type {string} */ name) {
    const made = files.get(name) ?? fetch(new URL(name, base)).then((answer) => {
      if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
      return answer.json();
    });
    made.catch(() => files.delete(name));
    files.set(name, made);
    return made;
  }

  /** The name of the file of a beginning, as the site was written. */
  const fileOf = (/** @type {string} */ key) => /^[a-z0-9]+$/.test(key) ? `${key}.json` : `_${[...new TextEncoder().encode(key)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}.json`;

  /** What one word finds: rows by address, whether they are all, and whether longer words were left out. */
  async function rowsOf(/** @type {string} */ word, /** @type {any} */ table) {
    let key = "";
    for (const letter of word) {
      key += letter;
      if (table.leaves.has(key)) break;
    }
    const isLeaf = table.leaves.has(key);
    if (!isLeaf && !table.exact.has(word)) return { rows: new Map(), isWhole: true, isShort: table.inner.has(word) };
    const shard = await file(fileOf(isLeaf ? key : word));
    const rows = new Map();
    let isWhole = true;
    for (const [each, [total, places]] of Object.entries(shard.w)) {
      if (!(isLeaf ? each.startsWith(word) : each === word)) continue;
      isWhole &&= total === places.length;
      for (const place of places) rows.set(shard.r[place][0], shard.r[place]);
    }
    return { rows, isWhole, isShort: !isLeaf };
  }

  async function table() {
    const read = await file("index.json");
    if (!read.leaves.has) {
      read.leaves = new Set(read.leaves);
      read.exact = new Set(read.exact);
      read.inner = new Set(read.inner);
    }
    return read;
  }

  async function search(/** @type {string} */ query) {
    const words = wordsOf(query);
    const known = await table();
    const begins = (/** @type {string[]} */ of, /** @type {string} */ word) => of.some((one) => one.startsWith(word));
    const labels = words.length ? known.labels.filter((/** @type {any} */ one) => words.every((word) => begins(wordsOf(one[1]), word))) : [];
    const parts = await Promise.all(words.map((word) => rowsOf(word, known)));
    if (!parts.length) return { labels, rows: [], isWhole: true, isShort: false };
    const order = parts.map((_, place) => place).sort((one, other) => Number(parts[other].isWhole) - Number(parts[one].isWhole) || parts[one].rows.size - parts[other].rows.size);
    const first = parts[order[0]];
    const rows = [...first.rows.values()].filter((row) => words.every((word, place) => place === order[0] || begins(wordsOf(`${row[1]} ${row[2]} ${row[5]}`), word)));
    const whole = words.join(" ");
    const rank = (/** @type {any} */ row) => { const name = wordsOf(row[1]).join(" "); return name === whole ? 0 : name.startsWith(whole) ? 1 : 2; };
    rows.sort((one, other) => rank(one) - rank(other) || other[4] - one[4]);
    return { labels, rows, isWhole: first.isWhole, isShort: parts.some((one) => one.isShort) };
  }

  function element(/** @type {string} */ tag, /** @type {string} */ name, /** @type {(Node | string)[]} */ ...inside) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    made.append(...inside);
    return made;
  }

  function link(/** @type {string} */ address, /** @type {(Node | string)[]} */ ...inside) {
    const made = /** @type {HTMLAnchorElement} */ (element("a", "", ...inside));
    made.href = new URL(address, site).href;
    return made;
  }

  const sign = (/** @type {string} */ side) => side ? element("span", `sign ${side === "natural" ? "sign-natural" : "sign-human"}`, element("span", "vh", `${side}: `)) : "";

  function landmark(/** @type {any} */ [address, name, label, side, images, numbers]) {
    const card = link(address, element("span", "card-title", name), element("span", "card-class", sign(side), label), element("span", "card-counts", `${images ? `${number(images)} image${images === 1 ? "" : "s"} · ` : ""}${numbers.split(" ", 2).join(" ")}`));
    card.className = "card-link";
    return element("li", "card landmark-card is-plain", card);
  }

  function show(/** @type {string} */ query, /** @type {any} */ { labels, rows, isWhole, isShort }) {
    const parts = [];
    if (labels.length) parts.push(element("h2", "", "Labels"), element("ul", "tags found-labels", ...labels.map((/** @type {any} */ [address, title, side, landmarks]) => element("li", "", link(address, sign(side), title), " ", element("span", "muted", `${number(landmarks)} landmark${landmarks === 1 ? "" : "s"}`)))));
    if (rows.length) {
      const told = rows.length > SHOWN ? `${SHOWN} of ${number(rows.length)}${isWhole ? "" : " or more"}; more words find fewer` : `${number(rows.length)}${isWhole ? "" : " or more"}`;
      parts.push(element("h2", "", "Landmarks ", element("small", "muted", told)), element("ul", "cards landmark-cards is-list", ...rows.slice(0, SHOWN).map(landmark)));
    }
    if (isShort) parts.push(element("p", "muted", "Many words begin so; another letter finds them."));
    if (!parts.length && query.trim()) parts.push(element("p", "empty", `Nothing has “${query}”. Try fewer letters, or `, link("", "look through the hierarchy"), "."));
    found.replaceChildren(...parts);
  }

  async function run() {
    const mine = ++asked;
    const query = field.value.slice(0, 200);
    history.replaceState(null, "", query ? `?${new URLSearchParams({ q: query })}` : location.pathname);
    try {
      const answer = await search(query);
      if (mine === asked) show(query, answer);
    } catch (error) {
      if (mine === asked) found.replaceChildren(element("p", "empty", `The search index cannot be read (${error instanceof Error ? error.message : error}). Reload the page.`));
    }
  }

  let waiting = 0;
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(run, WAIT_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  field.value = new URLSearchParams(location.search).get("q") ?? "";
  if (field.value) run();
  field.focus({ preventScroll: true });
})();
