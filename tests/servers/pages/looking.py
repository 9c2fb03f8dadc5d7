"""What is asked of a page in a browser: whether it can be read, whole and by everybody."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 390, "height": 844}
LOOKS = ((WIDE, "light"), (NARROW, "dark"))
"""Each width and each scheme once: places follow from the one, colours from the other."""
PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="
"""One pixel."""

UNFOLD = "() => document.querySelectorAll('details').forEach((one) => { one.open = true; })"
IS_SAFE = """
() => [window.hacked ?? 0,
  [...document.querySelectorAll("a[href]")].map((a) => new URL(a.getAttribute("href"), a.baseURI)).filter((to) => !/^https?:$/.test(to.protocol)).map((to) => to.href),
  document.querySelectorAll("img[onerror], svg[onload], [onmouseover], main script, main style").length]
"""
"""`[0, [], 0]` where no name has become a script."""

_AXE = Path(__file__).parents[2] / "hgld/pages/review/static/vendor/axe.min.js"

_AXE_PROBLEMS = """
async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .map(({ id, nodes }) => [id, nodes.slice(0, 5).map(({ target, failureSummary }) => `${target}: ${failureSummary}`)])
"""
# Boxes of controls that can be seen and lie upon one another, as pairs of their texts.
_OVERLAPS = """
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
_CUT = """
(within) => [...document.querySelectorAll(within)].filter((one) => one.checkVisibility()).filter((one) => {
  const box = one.getBoundingClientRect(), style = getComputedStyle(one);
  if (one.scrollWidth > one.clientWidth + 1 && style.display !== "inline" && box.width > 1) return true;
  for (let strip = one; strip; strip = strip.parentElement)
    if (/auto|scroll/.test(getComputedStyle(strip).overflowX) && strip.scrollWidth > strip.clientWidth + 1) return false;
  return box.left < -1 || box.right > document.documentElement.clientWidth + 1;
}).map((one) => `${one.className} ${one.textContent.trim().slice(0, 60)}`)
"""
# What makes the page wider than the window, where it can be moved sideways.
_SIDEWAYS = """
() => {
  scrollTo(999, 0);
  if (!scrollX) return [];
  const width = document.documentElement.clientWidth;
  const isHeld = (one) => one && (/auto|scroll|hidden|clip/.test(getComputedStyle(one).overflowX) || isHeld(one.parentElement));
  const wide = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right + scrollX > width + 1 && !isHeld(one.parentElement));
  return [`${scrollX} px`, ...wide.slice(0, 8).map((one) => one.outerHTML.slice(0, 100))];
}
"""

_STILL = """
() => Promise.allSettled(document.getAnimations().filter(({ effect }) => effect.getComputedTiming().endTime < Infinity)
  .map(({ finished }) => finished))
"""


def troubles(
    page: "Page", *, whole: str = "", apart: str = "", asks_axe: bool = True
) -> dict[str, Any]:
    """Returns what is wrong with how a page looks, by kind; nothing where all is well.

    Args:
        page: what is looked at, once it stands still.
        whole: selects texts that must not be cut at a side.
        apart: selects what must not lie upon one another.
        asks_axe: whether what keeps somebody with a screen reader out is asked for too.
    """
    page.evaluate(_STILL)
    found = {"sideways": page.evaluate(_SIDEWAYS)}
    for name, script, selector in (("cut", _CUT, whole), ("apart", _OVERLAPS, apart)):
        if selector:
            found[name] = page.evaluate(script, selector)
    if asks_axe:
        if not page.evaluate("() => Boolean(window.axe)"):
            page.evaluate(_axe())
        found["axe"] = page.evaluate(_AXE_PROBLEMS)
    return {name: one for name, one in found.items() if one}


@cache
def _axe() -> str:
    return _AXE.read_text(encoding="utf-8")
