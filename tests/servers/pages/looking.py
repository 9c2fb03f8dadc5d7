"""What is asked of a page in a browser: whether it can be read, whole and by everybody."""

from pathlib import Path

AXE = Path(__file__).parent / "review/static/vendor/axe.min.js"

AXE_PROBLEMS = """
async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .map(({ id, nodes }) => [id, nodes.slice(0, 5).map(({ target, failureSummary }) => `${target}: ${failureSummary}`)])
"""
# Boxes of controls that can be seen and lie upon one another, as pairs of their texts.
OVERLAPS = """
(within) => {
  const all = [...document.querySelectorAll(within)].filter((one) => one.checkVisibility());
  const boxes = all.map((one) => {
    const { left, top, right, bottom } = one.getBoundingClientRect(), box = { left, top, right, bottom };
    // What is scrolled out of sight lies upon nothing.
    for (let strip = one.parentElement; strip; strip = strip.parentElement) {
      if (!/auto|scroll/.test(getComputedStyle(strip).overflowY)) continue;
      const edge = strip.getBoundingClientRect();
      box.top = Math.max(box.top, edge.top);
      box.bottom = Math.min(box.bottom, edge.bottom);
    }
    return box;
  });
  const found = [];
  for (let one = 0; one < all.length; one++) for (let other = one + 1; other < all.length; other++) {
    if (all[one].contains(all[other]) || all[other].contains(all[one])) continue;
    const [a, b] = [boxes[one], boxes[other]];
    if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
      found.push([all[one].textContent, all[other].textContent]);
  }
  return found;
}
"""
# Texts that are wider than the box they are in, or lie beyond the window's sides and are in no strip
# that can be moved.
CUT = """
(within) => [...document.querySelectorAll(within)].filter((one) => one.checkVisibility()).filter((one) => {
  const box = one.getBoundingClientRect(), style = getComputedStyle(one);
  if (one.scrollWidth > one.clientWidth + 1 && style.display !== "inline" && box.width > 1) return true;
  for (let strip = one; strip; strip = strip.parentElement)
    if (/auto|scroll/.test(getComputedStyle(strip).overflowX) && strip.scrollWidth > strip.clientWidth + 1) return false;
  return box.left < -1 || box.right > document.documentElement.clientWidth + 1;
}).map((one) => `${one.className} ${one.textContent.trim().slice(0, 60)}`)
"""
# Texts in a column so narrow that words are broken into letters.
SQUEEZED = """
(within) => [...document.querySelectorAll(within)].filter((one) => one.checkVisibility() && one.textContent.trim().length > 12
  && one.getBoundingClientRect().width < 60).map((one) => one.textContent.trim().slice(0, 60))
"""
# What makes the page wider than the window, where it can be moved sideways.
SIDEWAYS = """
() => {
  scrollTo(999, 0);
  if (!scrollX) return [];
  const width = document.documentElement.clientWidth;
  const isHeld = (one) => one && (/auto|scroll|hidden|clip/.test(getComputedStyle(one).overflowX) || isHeld(one.parentElement));
  const wide = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right + scrollX > width + 1 && !isHeld(one.parentElement));
  return [`${scrollX} px`, ...wide.slice(0, 8).map((one) => one.outerHTML.slice(0, 100))];
}
"""
