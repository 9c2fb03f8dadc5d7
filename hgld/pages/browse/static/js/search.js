// Shows what the query of the address finds. The index is small files that each have the landmarks of one beginning of a
// word; they are loaded as scripts which call searchPart, because a page that was opened as a file may not fetch anything.
(() => {
  const SHOWN = 60;
  const found = document.getElementById("found");
  const parts = new Map(); // beginning of a word to the promise of its landmarks
  const arrivals = new Map(); // and to what keeps that promise
  window.searchPart = (key, ...content) => arrivals.get(key)(content);

  const number = (n) => n.toLocaleString("en");
  const count = (n, noun) => `${number(n)} ${noun}${n === 1 ? "" : "s"}`;
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("ß", "ss").replaceAll("ς", "σ");
  const wordsOf = (text) => fold(text).match(/[\p{L}\p{N}]+/gu) ?? [];
  const hex = (text) => [...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const nameOf = (key) => (/^[a-z0-9]+$/.test(key) ? `w-${key}` : `x-${hex(key)}`);

  function load(key, name = nameOf(key)) {
    const script = document.createElement("script");
    script.src = `search/${name}.js`;
    document.head.append(script);
    return new Promise((keep, fail) => {
      arrivals.set(key, keep);
      script.addEventListener("error", () => fail(new Error(`${script.src} cannot be read`)));
    });
  }

  // The landmarks with a word: how many there are, and those with most images.
  function landmarksWith(word, keys) {
    let key = "";
    for (const letter of word) {
      if (!keys.includes(key + letter)) break;
      key += letter;
    }
    if (!key) return [0, []];
    if (!parts.has(key)) parts.set(key, load(key));
    return parts.get(key);
  }

  async function search(words) {
    const [keys, labels] = await load("", "index");
    const answers = await Promise.all(words.map((word) => landmarksWith(word, keys)));
    const [total, rarest] = answers.reduce((one, other) => (other[0] < one[0] ? other : one));
    const hasAll = (text) => words.every((word) => wordsOf(text).some((one) => one.startsWith(word)));
    const whole = words.join(" ");
    const rank = ({ title }) => {
      const name = wordsOf(title).join(" ");
      return name === whole ? 0 : name.startsWith(whole) ? 1 : 2;
    };
    const landmarks = rarest
      .filter((row) => hasAll(row.slice(4).join(" ")))
      .map(([path, place, images, space, title, kind, ids]) => ({ path, label: labels[place], images, space, title, kind, ids }))
      .sort((one, other) => rank(one) - rank(other)); // stable: those with most images first
    return { labels: labels.filter(([, title]) => hasAll(title)), landmarks, isAll: total === rarest.length };
  }

  function element(tag, name, ...inside) {
    const made = document.createElement(tag);
    made.className = name;
    made.append(...inside);
    return made;
  }

  function link(path, name, ...inside) {
    const made = element("a", name, ...inside);
    made.href = path;
    return made;
  }

  const sign = (side) => side && element("span", `sign sign-${side === "natural" ? "natural" : "human"}`, element("span", "vh", `${side}: `));

  function labelItem([path, title, side, size]) {
    return element("li", "", link(path, "", sign(side), title), " ", element("span", "muted", count(size, "landmark")));
  }

  function landmarkItem({ path, label: [, label, side], images, space, title, kind, ids }) {
    const lines = [
      element("span", "card-title", title),
      element("span", "card-class", sign(side), label, kind && ` · ${kind}`),
      element("span", "card-counts", `${images ? `${count(images, "image")} · ` : ""}${space} ${ids.split(" ", 1)[0]}`),
    ];
    return element("li", "card landmark-card", link(path, "card-link", ...lines));
  }

  function show({ labels, landmarks, isAll }) {
    found.replaceChildren();
    if (labels.length) found.append(element("h2", "", "Labels"), element("ul", "tags found-labels", ...labels.map(labelItem)));
    if (landmarks.length) {
      const total = `${number(landmarks.length)}${isAll ? "" : " or more"}`;
      const told = landmarks.length > SHOWN ? `${SHOWN} of ${total}; more words find fewer` : total;
      const cards = landmarks.slice(0, SHOWN).map(landmarkItem);
      found.append(element("h2", "", "Landmarks ", element("small", "muted", told)), element("ul", "cards is-list", ...cards));
    }
    const home = link("index.html", "", "look through the hierarchy");
    if (!labels.length && !landmarks.length) found.append(element("p", "empty", "Nothing has all of these words. Try fewer letters, or ", home, "."));
  }

  const query = new URLSearchParams(location.search).get("q") ?? "";
  const words = wordsOf(query);
  document.getElementById("q").value = query;
  document.getElementById("q").focus({ preventScroll: true });
  if (!words.length) return;
  found.textContent = "Searching …"; // a server reads all names at the first search
  search(words).then(show, (error) => found.replaceChildren(element("p", "empty", error.message)));
})();
