"""A watch on what the pages of a browser must not do."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_TELL = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


@dataclass(slots=True)
class Watch:
    """What the pages of a browser's context did."""

    addresses: set[str] = field(default_factory=set)
    """Hosts that were asked for anything."""
    said: list[str] = field(default_factory=list)
    """What was written to the console as an error, refused by the policy, or thrown."""
    forgiven: tuple[str, ...] = ()
    """Texts of errors that a test provokes."""

    @property
    def strangers(self) -> set[str]:
        """Hosts that are not of this machine."""
        return self.addresses - _LOOPBACK

    def follow(self, context: "BrowserContext") -> None:
        """Watches a context from now on."""
        context.add_init_script(_TELL)
        # Functions, since playwright writes on the object of a method.
        context.on("request", lambda request: self._asked(request))  # noqa: PLW0108
        context.on("page", lambda page: self._opened(page))  # noqa: PLW0108

    @property
    def errors(self) -> list[str]:
        """What was said, but for what is forgiven."""
        return [one for one in self.said if not any(text in one for text in self.forgiven)]

    def _asked(self, request: "Request") -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"}:
            self.addresses.add(parts.hostname or request.url)

    def _opened(self, page: "Page") -> None:
        def hear(said: "ConsoleMessage") -> None:
            if said.type == "error":
                self.said.append(f"{said.text} ({said.location.get('url', '')})")

        page.on("console", hear)
        page.on("pageerror", lambda error: self.said.append(str(error)))
