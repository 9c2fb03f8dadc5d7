"""Texts and times of the log: what a file holds, what a terminal shows, and what is neither."""

import re
from datetime import UTC, datetime

# C0 controls but for tab and line breaks, DEL, C1 controls; and what turns the direction of text,
# so that a name reads as another one.
_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_CONTROL = re.compile(f"[{_CONTROLS}]")
_NOT_OF_A_LINE = re.compile(f"[{_CONTROLS}\t\n\r\u2028\u2029]")
_LONGEST_NAME = 80
_JOINERS = dict.fromkeys((0x200C, 0x200D))  # Persian and Indic names are written with them
_SHOWN = 60  # characters of a text that an error quotes


def check_text(name: str, text: object) -> None:
    """Refuses what cannot be written to a file as text; None passes.

    Raises:
        TypeError: it is no text.
        ValueError: UTF-8 cannot hold it, such as half a surrogate pair from a shell's argument.
    """
    if text is None:
        return
    if not isinstance(text, str):
        raise TypeError(f"{name} must be text, got {text!r}")
    if text.isascii():  # mostly, and five times faster
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} must be text that UTF-8 can hold, got {text!r}; write it anew"
        ) from error


def reviewer_name(text: str) -> str:
    """Returns a reviewer's name with single spaces, as the page keeps it.

    Raises:
        ValueError: it is blank, too long, or has characters that are no text.

    Example:
        >>> reviewer_name("  Ann   B ")
        'Ann B'
    """
    check_text("reviewer", text)
    name = " ".join(text.split())
    seen = name.translate(_JOINERS)
    if not seen.strip():
        raise ValueError("type your name: decisions are kept with who made them")
    if len(name) > _LONGEST_NAME:
        raise ValueError(
            f"a name must have at most {_LONGEST_NAME} characters, got {len(name)}; shorten it"
        )
    if not seen.isprintable():
        wrong = next(one for one in seen if not one.isprintable())
        raise ValueError(
            f"a name must have no control or invisible characters, got U+{ord(wrong):04X}; type it "
            f"anew"
        )
    return name


def has_controls(text: str) -> bool:
    """Says whether a text has characters that are not seen and may do something."""
    return _CONTROL.search(text) is not None


def check_typed(name: str, text: str | None) -> None:
    """Refuses control characters, which the log takes up no more; None passes.

    Tabs and line breaks are none. A log of an earlier version may have some, and is read.

    Raises:
        ValueError: there is one.
    """
    found = _CONTROL.search(text) if text else None
    if found is not None:
        raise ValueError(
            f"{name} must be text without control characters, got U+{ord(found[0]):04X} in "
            f"{found.string[:_SHOWN]!r}; take it out, or write it anew"
        )


def harmless(text: str) -> str:
    r"""Returns a text as one line that does nothing to a terminal but stand there.

    Example:
        >>> print(harmless("church\x1b[2J"))
        church\x1b[2J
    """
    return _NOT_OF_A_LINE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def harmless_json(text: str) -> str:
    """Returns JSON that says the same, with an escape for each control character."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def check_zoned(text: str) -> None:
    """Refuses a time that is not by ISO 8601, or without its zone.

    Raises:
        ValueError: it is such a one.
    """
    if zoned_time(text) != text:
        raise ValueError(f"{_NO_TIME}, got {text!r}, which has no zone")


def zoned_time(text: str) -> str:
    """Returns a time with its zone; one that has none is of UTC, in which the log is kept.

    Raises:
        ValueError: it is none.

    Example:
        >>> zoned_time("2026-11-28T18:00"), zoned_time("2026-11-28T18:00:00+01:00")
        ('2026-11-28T18:00:00+00:00', '2026-11-28T18:00:00+01:00')
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{_NO_TIME}, got {text!r}") from error
    return text if time.tzinfo else time.replace(tzinfo=UTC).isoformat()


_NO_TIME = "decided_at must be a time by ISO 8601 with its zone, such as 2026-11-28T18:00:00+00:00"
