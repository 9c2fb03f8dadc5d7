"""The search index of a site: small files, each with the landmarks of one beginning of a word.

The script `search.js` loads them as scripts, because a page that was opened as a file may not fetch
anything. A query reads one file per word. The file of a beginning has at most `MOST_OF_PART`
landmarks, those with most images; if there are more, one more letter leads to the next file.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from hgld.pages.serving.finding import fold_text

MOST_OF_PART = 1_000
INDEX_FOLDER = "search"
_INDEX = f"{INDEX_FOLDER}/index.js"
_LONGEST_KEY = 12  # letters, up to eight in the name of a file for each
_WORD = re.compile(r"[^\W_]+")

Postings = dict[str, list[int]]
"""Word to the ranks of its landmarks, ascending."""


def search_words(text: str) -> list[str]:
    """Returns the words of a text, without case and accents.

    Example:
        >>> search_words("Château d'Annecy, Q771")
        ['chateau', 'd', 'annecy', 'q771']
    """
    return _WORD.findall(fold_text(text))


class SearchIndex:
    """The index as files by their paths; their content is made when it is asked for."""

    def __init__(self, labels: Sequence[object], entries: Sequence[Sequence[object]]) -> None:
        """Indexes landmarks: some 5 s for 200,000.

        Args:
            labels: for the first file: what is shown of each label.
            entries: what is shown of each landmark, the most important first. The last three
                fields are texts whose words are found: name, class and numbers.
        """
        self._labels, self._entries = labels, entries
        postings: Postings = defaultdict(list)
        for rank, entry in enumerate(entries):
            for word in set(search_words(" ".join(map(str, entry[-3:])))):
                postings[word].append(rank)
        self._parts = {part_name(part[0]): part for part in _parts("", postings)}

    def __iter__(self) -> Iterator[str]:
        """Yields the paths of the files."""
        yield _INDEX
        yield from self._parts

    def text(self, path: str) -> str | None:
        """Returns the content of a file; None: there is none of that path."""
        if path == _INDEX:
            return _call("", sorted(key for key, *_ in self._parts.values()), self._labels)
        if path not in self._parts:
            return None
        key, total, ranks = self._parts[path]
        return _call(key, total, [self._entries[rank] for rank in ranks])


def _parts(key: str, words: Postings) -> Iterator[tuple[str, int, list[int]]]:
    """Yields each beginning of a word, how many landmarks have it, and the ranks of the first."""
    ranks = sorted(set().union(*words.values()))
    if key:
        yield key, len(ranks), ranks[:MOST_OF_PART]
    if not key or (len(ranks) > MOST_OF_PART and len(key) < _LONGEST_KEY):
        longer: dict[str, Postings] = defaultdict(dict)
        for word, of_word in words.items():
            if word != key:
                longer[word[: len(key) + 1]][word] = of_word
        for each, inside in longer.items():
            yield from _parts(each, inside)


def part_name(key: str) -> str:
    """Returns the path of the file of a beginning, a name on every file system.

    Example:
        >>> part_name("con"), part_name("éa")
        ('search/w-con.js', 'search/x-c3a961.js')
    """
    is_plain = key.isascii() and key.isalnum()
    return f"{INDEX_FOLDER}/{f'w-{key}' if is_plain else f'x-{key.encode().hex()}'}.js"


def _call(*values: object) -> str:
    inside = (json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in values)
    return f"searchPart({','.join(inside)});\n"
