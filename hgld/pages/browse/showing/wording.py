"""What the codes of the tables mean, in words."""

from urllib.parse import urlsplit

_REASONS = {
    "no_page": "its Commons category is gone",
    "no_item": "its Commons category has no Wikidata item",
    "no_p31": "its Wikidata item says no class (P31)",
    "redirect_loop": "its Commons category redirects in a circle",
    "failed": "its category could not be fetched",
    "not_scraped": "it was not asked for",
    "ignored": "a reviewer ignored its classes",
    "proposed_ignore": "its classes were ignored unseen, as proposed",
    "undecided": "nobody has decided on its classes",
}
_DECISIONS = {
    "assigned": "assigned by a reviewer",
    "ignored": "ignored by a reviewer",
    "proposed": "taken as proposed, seen by nobody",
    "proposed_ignore": "ignored as proposed, seen by nobody",
    "undecided": "undecided",
    "filled": "filled by other evidence, since no class gives a label",
}
_RULES = {
    "only_label": "All of its classes that vote stand for this label.",
    "most_votes": "Most of its classes stand for this label.",
    "most_specific": (
        "Several labels have equally many votes; the one of the most specific class wins, which is "
        "the class that the fewest landmarks have."
    ),
    "no_vote": "",
    "filled": "No class gives a label; it is filled by other evidence.",
}
_CHANGES = {
    "added": "added",
    "removed": "removed",
    "changed": "changed",
    "moved": "moved between data, filled, excluded and bad",
    "unchanged": "unchanged",
    "label_added": "got a label",
    "label_removed": "lost their label",
    "label_changed": "have another label",
    "labels_gone": "removed with a label",
}
_FILES = {
    "landmarks.parquet": "a row a landmark: its label, where that comes from, and what lost",
    "hierarchy.parquet": "a row a label that classes give, with what hangs on it",
    "excluded.parquet": "images without a label, why, and the best guess",
    "bad.parquet": "images that cannot be decoded",
    "label_changes.parquet": "what changed since the release before, row for row",
    "releases.json": "all releases, with counts and digests",
    "RELEASE_NOTE.md": "what changed, to be read",
    "SHA256SUMS": "checksums of all files: sha256sum -c SHA256SUMS",
    "croissant.json": "metadata for programs (Croissant 1.1)",
    "README.md": "the card of the data set",
    "DATASHEET.md": "the data sheet",
    "CITATION.cff": "how to cite it",
}
_KINDS = (
    ("data/train-", "images of the training set, with their labels"),
    ("data/index-", "images of the searched set, with their labels"),
    ("data/test-", "query images, with their labels"),
    ("filled/train-", "images of the training set, with labels that no class gives"),
    ("filled/index-", "images of the searched set, with labels that no class gives"),
    ("filled/test-", "query images, with labels that no class gives"),
    ("credits-", "who made each train image, and its licence"),
)


def reason_words(reason: str) -> str:
    """Returns why a landmark has no label.

    Example:
        >>> reason_words("no_item"), reason_words("a_new_one")
        ('its Commons category has no Wikidata item', 'a new one')
    """
    return _REASONS.get(reason, reason.replace("_", " "))


def decision_words(decision: str) -> str:
    """Returns how a class got its label, or none.

    Example:
        >>> decision_words("assigned"), decision_words("")
        ('assigned by a reviewer', '')
    """
    return _DECISIONS.get(decision, decision.replace("_", " "))


def rule_words(rule: str) -> str:
    """Returns by which part of the rule a label won."""
    return _RULES.get(rule, rule.replace("_", " "))


def count_words(name: str) -> str:
    """Returns what a count of releases.json counts."""
    return _CHANGES.get(name, name.replace("_", " "))


def file_words(name: str) -> str:
    """Returns what a file of a release holds; empty where that is not known.

    Example:
        >>> file_words("data/test-00000-of-00001.parquet"), file_words("mine.txt")
        ('query images, with their labels', '')
    """
    if name.endswith("_label_to_hierarchical.csv"):
        return "landmarks and labels, as Google publishes them"
    if name.endswith("_label_to_subcategory_with_clusters.csv"):
        return "landmarks and labels, as the authors' training code reads them"
    for begin, words in _KINDS:
        if name.startswith(begin):
            return words
    return _FILES.get(name, "")


def web_url(text: str | None) -> str:
    """Returns an address of the web as it is, and anything else as an empty text.

    Example:
        >>> web_url("https://commons.wikimedia.org/wiki/File:A.jpg"), web_url("javascript:alert(1)")
        ('https://commons.wikimedia.org/wiki/File:A.jpg', '')
    """
    try:
        parts = urlsplit(text or "")
    except ValueError:
        return ""
    return text or "" if parts.scheme in {"http", "https"} and parts.netloc else ""
