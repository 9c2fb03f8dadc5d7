"""Search over everything: labels, Q-ids and the names of landmarks."""

from hgld.pages.review.state.classes import ReviewClasses
from hgld.pages.review.state.landmarks import LandmarkIndex
from hgld.pages.serving.finding import TextLines, fold_text
from hgld.pages.serving.wikimedia import landmark_name


class Lookup:
    """Finds classes and landmarks by a part of their names, without case and accents."""

    def __init__(self, classes: ReviewClasses, landmarks: LandmarkIndex) -> None:
        """Reads all names: 0.5 s for 200,000 landmarks."""
        self._classes = classes
        self._names = TextLines(
            fold_text(landmark_name(category)) if category else ""
            for category in landmarks.categories.to_pylist()
        )

    def classes(self, query: str, most: int) -> list[int]:
        """Returns classes, those that begin with the words first, then by landmarks."""
        wanted = _wanted(query)
        if not wanted:
            return []
        found = [row for row, text in enumerate(self._classes.folded) if wanted in text]

        def rank(row: int) -> tuple[int, int]:
            text, landmarks = self._classes.folded[row], int(self._classes.landmarks[row])
            label, _, qid = text.partition("\n")
            if wanted in {label, qid}:
                return 0, -landmarks
            if text.startswith(wanted):
                return 1, -landmarks
            return 2 if f" {wanted}" in text else 3, -landmarks

        return sorted(found, key=rank)[:most]

    def landmarks(self, query: str, most: int) -> list[int]:
        """Returns landmarks, those that begin with the words first."""
        wanted = _wanted(query)
        if not wanted:
            return []
        found: dict[int, None] = {}
        for begin in ("\n", " ", ""):
            for landmark in self._names.hits(begin + wanted, len(begin)):
                found[landmark] = None
                if len(found) == most:
                    return list(found)
        return list(found)


def _wanted(query: str) -> str:
    return fold_text(" ".join(query.split()))
