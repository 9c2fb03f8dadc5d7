"""What a person at the review page sees, and which keys they pressed."""

from typing import TYPE_CHECKING, NamedTuple, Self

from hgld.benchmarks.reviewing.desk import Desk as KeyDesk

if TYPE_CHECKING:
    from playwright.sync_api import Page

_MEMBERS = """
() => [...document.querySelectorAll("#rows [data-qid]")].map((row) => {
  const chip = row.querySelector(".name-chip");
  const is_ignored = Boolean(chip.querySelector(".sign-ignored"));
  const side = chip.querySelector(".sign-natural") ? "natural" : "human-made";
  const name = [...chip.childNodes].filter((one) => one.nodeType === 3).map((one) => one.data).join("");
  const is_open = row.classList.contains("is-open");
  return {
    qid: row.dataset.qid, label: row.querySelector(".what > b").textContent, is_open,
    landmarks: Number(row.querySelector(":scope > .n > b").textContent.replace(/\\D/g, "")),
    answer: is_ignored ? null : name, side: is_ignored ? null : side,
    is_ticked: Boolean(row.querySelector("input")?.checked),
    has_focus: row.ariaSelected === "true",
    is_sure: row.classList.contains("is-sure"),
  };
})
"""


class SeenMember(NamedTuple):
    """A row of the open cluster, as it is on the screen."""

    qid: str
    label: str
    landmarks: int
    is_open: bool
    answer: str | None
    """The super-category that is proposed or decided; None: to ignore it."""
    side: str | None
    is_ticked: bool
    has_focus: bool
    is_sure: bool
    """Whether Enter accepts it with the others."""


class Desk(KeyDesk):
    """A page of the review that also tells what is on it."""

    def __init__(self, page: "Page", url: str) -> None:
        """Takes a page of a browser, and the address of the review."""
        super().__init__(page, url)
        self.pressed: list[str] = []
        """Every key, in order; a letter that is typed is one."""
        self._first_line = 0

    def open(self, path: str = "", reviewer: str = "") -> Self:
        """Opens the review, and counts the lines of its log from here."""
        super().open(path, reviewer)
        self._first_line = self.line
        return self

    def press(self, *keys: str) -> None:
        """Presses keys, each when what the one before did is seen."""
        for key in keys:
            self.hit(key)
            self.wait()

    def hit(self, key: str) -> None:
        """Presses a key, and waits for nothing."""
        self.pressed.append(key)
        super().hit(key)

    def type(self, text: str, delay_ms: float = 0.0) -> None:
        """Types into the field that has the focus, with a delay after each letter."""
        self.pressed += text
        self.page.keyboard.type(text, delay=delay_ms)

    def state(self, name: str) -> str:
        """Returns one of the texts that the page has about itself, such as group or line."""
        script = "(name) => document.getElementById('desk').dataset[name] ?? ''"
        return str(self.tell(script, name))

    @property
    def group(self) -> str:
        """The cluster that is open."""
        return self.state("open")

    @property
    def line(self) -> int:
        """The last line of the log that is shown."""
        return int(self.state("line"))

    @property
    def written(self) -> int:
        """How many lines the log has got since the page was opened."""
        return self.line - self._first_line

    @property
    def said(self) -> str:
        """What the status bar says."""
        return str(self.tell("() => document.getElementById('said').textContent.trim()"))

    @property
    def focus(self) -> str:
        """What has the focus: its id, or that of the row or the link it is in."""
        return str(self.tell("() => document.activeElement.closest('[id]')?.id ?? ''"))

    def members(self) -> list[SeenMember]:
        """Returns the rows that are shown."""
        return [SeenMember(**row) for row in self.tell(_MEMBERS)]

    def choices(self) -> dict[str, tuple[str, str]]:
        """Returns the names on the keys 1 to 9, with their sides."""
        script = "() => [...document.querySelectorAll('.choice')].map(({dataset}) => [dataset.key, dataset.label, dataset.side])"
        return {key: (label, side) for key, label, side in self.tell(script)}

    def groups(self) -> dict[str, bool]:
        """Returns the clusters of the list, in its order, and whether all of each is decided."""
        script = "() => [...document.querySelectorAll('[data-group][data-state]')].map(({dataset}) => [dataset.group, dataset.state === 'settled'])"
        return dict(self.tell(script))
