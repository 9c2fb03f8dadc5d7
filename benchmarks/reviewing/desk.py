"""The review page as a person at a keyboard has it: what is seen, and which keys were pressed."""

from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from playwright.sync_api import Page

_TIMEOUT_MS = 30_000
# All that is to come is there, or waits for a dialog to be closed.
_IS_IDLE = """
() => document.querySelector("#bench:not([aria-busy])") && (document.querySelector("dialog[open]")
  || !document.querySelector("#work:not([data-coming='0']), #pane-names[data-coming]"))
"""
_MEMBERS = """
(within) => [...document.querySelectorAll(`${within} .member`)].map((row) => {
  const chip = row.querySelector(".name-chip"), sign = row.querySelector(".name-chip .sign");
  const tick = row.querySelector(".tick");
  return [
    row.dataset.qid, row.querySelector(".member-label").textContent, Number(row.dataset.n),
    row.classList.contains("is-open") ? "open" : "decided", chip.textContent,
    sign?.classList.contains("sign-natural") ? "natural" : "human-made",
    Boolean(tick?.checked), row === document.activeElement?.closest(".member"),
    Boolean(chip.querySelector(".sign-ignored")), parseInt(row.querySelector(".sure-n")?.textContent ?? "100"),
    Boolean(row.querySelector(".sure em, .chip-doubt")),
  ];
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
    confidence: int
    """In percent."""
    is_doubtful: bool
    """Whether the page is unsure, or somebody has marked it."""


class Desk:
    """A page of the review, used with keys alone."""

    def __init__(self, page: "Page", url: str) -> None:
        """Takes a page of a browser, and the address of the review."""
        self.page, self.url = page, url
        page.set_default_timeout(_TIMEOUT_MS)
        self.pressed: list[str] = []
        """Every key, in order; a letter that is typed is one."""
        self._first_line = 0

    def open(self, path: str = "", reviewer: str = "") -> "Desk":
        """Opens the review; where it asks who reviews, says so."""
        self.page.goto(f"{self.url}{path}")
        self.wait()
        if reviewer and self.layer == "write":
            with self.page.expect_event("load"):  # an address that is put right is no other page
                self.page.keyboard.type(reviewer)
                self.page.keyboard.press("Enter")
        self.wait()
        self.page.wait_for_function("() => document.activeElement !== document.body")
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
        shift = "Shift+" if len(key) == 1 and key.isalpha() and key.isupper() else ""
        self.page.keyboard.press(f"{shift}{key}")

    def type(self, text: str, delay_ms: float = 0.0) -> None:
        """Types into the field that has the focus, with a delay after each letter."""
        self.pressed += text
        self.page.keyboard.type(text, delay=delay_ms)

    def wait(self) -> None:
        """Waits until the page has done what it was told."""
        self.page.wait_for_function(_IS_IDLE)

    def tell(self, script: str, argument: object = None) -> Any:  # noqa: ANN401 - JavaScript's
        """Returns what a script finds out."""
        return self.page.evaluate(script, argument)

    def state(self, name: str) -> str:
        """Returns one of the texts that the page has about itself, such as group or line."""
        return cast(
            "str", self.tell("(name) => document.getElementById('bench').dataset[name] ?? ''", name)
        )

    @property
    def group(self) -> str:
        """The cluster that is open."""
        return self.state("group")

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
        return cast("str", self.tell("() => document.getElementById('said').textContent.trim()"))

    @property
    def layer(self) -> str:
        """The topmost dialog; empty where none is open."""
        return cast(
            "str",
            self.tell("() => [...document.querySelectorAll('dialog[open]')].at(-1)?.id ?? ''"),
        )

    @property
    def focus(self) -> str:
        """What has the focus: its id, or that of the row or the link it is in."""
        return cast(
            "str",
            self.tell("() => document.activeElement.closest('[id]')?.id ?? ''"),
        )

    def members(self, within: str = "#work") -> list[SeenMember]:
        """Returns the rows that are shown."""
        return [
            SeenMember(
                qid=qid,
                label=label,
                landmarks=landmarks,
                is_open=state == "open",
                answer=None if is_ignored else answer,
                side=None if is_ignored else side,
                is_ticked=is_ticked,
                has_focus=has_focus,
                confidence=confidence,
                is_doubtful=is_doubtful,
            )
            for (
                qid,
                label,
                landmarks,
                state,
                answer,
                side,
                is_ticked,
                has_focus,
                is_ignored,
                confidence,
                is_doubtful,
            ) in self.tell(_MEMBERS, within)
        ]

    def choices(self) -> dict[str, tuple[str, str]]:
        """Returns the names on the keys 1 to 9, with their sides."""
        script = "() => [...document.querySelectorAll('#work .choice')].map(({dataset}) => [dataset.key, dataset.label, dataset.side])"
        return {key: (label, side) for key, label, side in self.tell(script)}

    def groups(self) -> dict[str, bool]:
        """Returns the clusters of the list, in its order, and whether all of each is decided."""
        script = "() => [...document.querySelectorAll('#groups .group')].map((link) => [link.dataset.group, link.classList.contains('is-done')])"
        return dict(self.tell(script))
