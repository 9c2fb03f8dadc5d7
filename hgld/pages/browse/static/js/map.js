// The hierarchy as areas that one goes into: both sides, one side, a super-category with its landmarks.
// All of it stands on the page already, or on that of the super-category; nothing else is asked for.
(() => {
  const [section, area, trail, hint] = ["map", "map-area", "map-trail", "map-hint"].map((id) => document.getElementById(id));
  if (!section || !area || !trail || !hint || !window.d3) return;
  const NAMED = [74, 26]; // pixels of an area that has room for words, cut or not
  const LETTER = 7.6;
  const LINES = 44;
  const PICTURED = [84, 72];
  const SWATCH = 24;
  const HEAD = 28;
  const MOST = 60;
  const number = (/** @type {number} */ n) => n.toLocaleString("en").replaceAll(",", "\u202f");
  const count = (/** @type {number} */ n, /** @type {string} */ one) => `${number(n)} ${one}${n === 1 ? "" : "s"}`;

  /** @param {Element} from an element with its numbers */
  const leaf = (from, /** @type {string} */ base) => {
    const { side = "", landmarks = "1", images = "0" } = /** @type {HTMLElement} */ (from).dataset;
    const [link, image] = [from.querySelector("a"), from.querySelector("img")];
    return {
      title: from.querySelector("[data-title]")?.textContent ?? "",
      href: link ? new URL(link.getAttribute("href") ?? "", base).href : "",
      picture: image ? new URL(image.getAttribute("src") ?? "", base).href : "",
      side, landmarks: Number(landmarks), images: Number(images), isLandmark: from.matches("[data-landmark]"),
    };
  };
  const sides = [...document.querySelectorAll("section[data-side]")].map((one) => ({
    title: one.querySelector("[data-title]")?.textContent ?? "",
    side: /** @type {HTMLElement} */ (one).dataset.side ?? "",
    leaves: [...one.querySelectorAll("[data-node]")].map((node) => leaf(node, location.href)),
  }));
  /** @type {any[]} where the map is: nothing, a side, or a side and a super-category */
  let path = [];
  /** @type {Map<string, any[]>} landmarks that were fetched */
  const fetched = new Map();

  const measure = () => /** @type {HTMLInputElement} */ (section.querySelector("input[name=measure]:checked")).value;

  function element(/** @type {string} */ tag, /** @type {string} */ name, /** @type {string} */ text = "") {
    const made = document.createElement(tag);
    made.className = name;
    if (text) made.textContent = text;
    return made;
  }

  function place(/** @type {HTMLElement} */ one, /** @type {any} */ { x0, y0, x1, y1 }) {
    Object.assign(one.style, { left: `${x0}px`, top: `${y0}px`, width: `${x1 - x0}px`, height: `${y1 - y0}px` });
    return one;
  }

  function cell(/** @type {any} */ node) {
    const { title, href, picture, side, landmarks, images, isLandmark } = node.data;
    const [width, height] = [node.x1 - node.x0, node.y1 - node.y0];
    const made = /** @type {HTMLAnchorElement} */ (element("a", `map-cell ${side === "natural" ? "is-natural" : "is-human"}`));
    made.href = href;
    const told = isLandmark ? count(images, "image") : `${count(landmarks, "landmark")}, ${count(images, "image")}`;
    made.title = images || landmarks ? `${title}: ${told}` : title;
    const fits = (/** @type {string} */ text) => text.length * LETTER + 16 <= width;
    const isNamed = (width >= NAMED[0] || fits(title)) && height >= NAMED[1];
    // Where there is room for one of the two, words say more.
    if (picture && (isNamed ? width >= PICTURED[0] && height >= PICTURED[1] : Math.min(width, height) >= SWATCH)) {
      const image = /** @type {HTMLImageElement} */ (element("img", ""));
      [image.src, image.alt] = [picture, ""];
      made.classList.add("has-picture");
      made.append(image);
    }
    if (isNamed) {
      const words = element("span", "map-words");
      words.append(element("b", "", title));
      const by = isLandmark ? "images" : measure();
      const many = by === "images" ? images : landmarks;
      const long = count(many, by.slice(0, -1));
      if (height >= LINES && (images || landmarks)) words.append(element("span", "", fits(long) ? long : number(many)));
      made.append(words);
    } else made.setAttribute("aria-label", made.title);
    if (!isLandmark && !node.data.isRest) made.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button) return;
      event.preventDefault();
      go([sides.find((one) => one.side === side), node.data]);
    });
    return place(made, node);
  }

  function draw() {
    const by = measure();
    /** @type {any} */
    let data;
    if (!path.length) data = { children: sides.map((one) => ({ ...one, children: one.leaves })) };
    else if (path.length === 1) data = { children: path[0].leaves };
    else data = { children: fetched.get(path[1].href) ?? [] };
    const inside = path.length === 2;
    const root = window.d3.hierarchy(data).sum((/** @type {any} */ one) => (one.children ? 0 : one.size ?? Math.max(inside ? one.images : one[by], 1)));
    root.sort((/** @type {any} */ one, /** @type {any} */ other) => Number(one.data.isRest ?? 0) - Number(other.data.isRest ?? 0) || other.value - one.value);
    window.d3.treemap().size([area.clientWidth, area.clientHeight]).paddingInner(3).paddingTop((/** @type {any} */ node) => (node.depth === 1 && node.children ? HEAD : 0)).round(true)(root);
    const heads = path.length ? [] : root.children ?? [];
    area.replaceChildren(...heads.map((/** @type {any} */ node) => {
      const head = /** @type {HTMLButtonElement} */ (element("button", "map-side", node.data.title));
      head.type = "button";
      head.addEventListener("click", () => go([node.data]));
      return place(head, { ...node, y1: node.y0 + HEAD - 2 });
    }), ...root.leaves().filter((/** @type {any} */ node) => node.depth).map(cell));
    /** @type {HTMLElement} */ (section.querySelector(".map-measure")).hidden = inside; // there it is images
    tell();
  }

  function tell() {
    const steps = [{ title: "All" }, ...path];
    trail.replaceChildren(...steps.map((one, place) => {
      const item = document.createElement("li");
      if (place === steps.length - 1) {
        const here = element("span", "", one.title);
        here.setAttribute("aria-current", "true");
        item.append(here);
      } else {
        const back = /** @type {HTMLButtonElement} */ (element("button", "", one.title));
        back.type = "button";
        back.addEventListener("click", () => go(path.slice(0, place)));
        item.append(back);
      }
      return item;
    }));
    hint.textContent = path.length === 2
      ? `${path[1].title}: the landmarks with most images. An area is as large as its images; Esc goes back.`
      : `An area is as large as its ${measure()}. Choose one to go into it${path.length ? "; Esc goes back" : ""}.`;
  }

  async function landmarksOf(/** @type {any} */ label) {
    const answer = await fetch(label.href, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    const read = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = [...read.querySelectorAll("[data-landmark]")].slice(0, MOST).map((one) => ({ ...leaf(one, label.href), side: label.side }));
    const more = label.landmarks - found.length;
    const size = found.reduce((sum, one) => sum + one.images, 0) / Math.max(found.length, 1);
    if (more > 0) found.push(/** @type {any} */ ({ title: `${number(more)} more`, href: label.href, picture: "", side: label.side, landmarks: 0, images: 0, isLandmark: true, isRest: true, size }));
    return found;
  }

  async function go(/** @type {any[]} */ to) {
    const label = to[1];
    if (label && !fetched.has(label.href)) {
      try {
        fetched.set(label.href, await landmarksOf(label));
      } catch {
        location.href = label.href; // its page shows them too
        return;
      }
    }
    path = to;
    draw();
    /** @type {HTMLElement | null} */ (area.querySelector("button, a"))?.focus({ preventScroll: true });
  }

  section.hidden = false;
  section.addEventListener("change", draw);
  section.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && path.length) go(path.slice(0, -1));
  });
  new ResizeObserver(draw).observe(area);
})();
