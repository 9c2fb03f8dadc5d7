"""Export decisions to a file: a sheet to fill in, or SKOS in Turtle for other tools."""

import json
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.review.log.decisions import read_log
from hgld.review.log.events import SIDES
from hgld.review.log.history import Decision
from hgld.review.sheet import FILLED_IN, POSITION, position_of, write_sheet
from hgld.review.status import new_classes
from hgld.tables import CATEGORIES, CLASSES, LABELS, PROPOSALS, qid_number

_EXAMPLES = 3
_KEY = ("split", "landmark_id")
_COMMONS = "https://commons.wikimedia.org/wiki/Category:"
_OURS = "urn:x-hgld:"
_SCHEME = f"<{_OURS}taxonomy>"
_PREFIXES = """\
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix wd: <http://www.wikidata.org/entity/> .
"""
_INVENTED = 10**15
"""Q-ids from this number on are made up for the labels of a bare list; Wikidata's are lower."""


def export_file(workspace: Workspace, path: Path) -> int:
    """Writes the decisions in the format of the file's suffix.

    Args:
        workspace: a build whose `propose` has finished.
        path: `.csv` for a sheet, `.ttl` for SKOS in Turtle; must not exist.

    Returns:
        The number of rows or classes.

    Raises:
        InputError: the file exists, or has another suffix.
        DamagedError: the log does not match its checksums or its copy.
        MissingInputError: no proposals.
    """
    if path.suffix.lower() not in {".csv", ".ttl"}:
        raise InputError(f"{path} must end in .csv (a sheet) or .ttl (SKOS)")
    if path.exists():
        apply = workspace.command(f"review --apply {shlex.quote(str(path))} --reviewer NAME")
        raise InputError(
            f"{path} exists and may hold decisions; apply it with {apply}, or name another file"
        )
    is_sheet = path.suffix.lower() == ".csv"
    return _export_sheet(workspace, path) if is_sheet else _export_skos(workspace, path)


def _export_sheet(workspace: Workspace, path: Path) -> int:
    """Writes the sheet: one row per class, sorted by cluster, then by descending landmarks."""
    rows, log = workspace.read(PROPOSALS).to_pylist(), read_log(workspace)
    rows.sort(key=lambda row: (row["cluster_id"], -row["landmarks"], qid_number(row["class_qid"])))
    labels = {row["class_qid"]: row["class_label"] for row in rows}
    decisions, new = log.in_force(), new_classes(workspace, labels, log)
    examples, position = example_landmarks(workspace), position_of(log)
    for row in rows:
        qid = row["class_qid"]
        shown = examples.get(qid, ())
        row["wikidata"] = f"https://www.wikidata.org/wiki/{qid}" if _is_wikidata(qid) else None
        row["example_landmarks"] = " | ".join(shown)
        row["example_link"] = _COMMONS + quote(shown[0].replace(" ", "_")) if shown else None
        row["status"] = "new" if qid in new else "open"
        for name in ("confidence", "runner_up_confidence"):
            row[name] = round(row[name], 4)  # the digits of a float32 that mean something
        row[POSITION] = position
        if (decision := decisions.get(qid)) is not None:
            is_same = decision.class_label == row["class_label"]
            row["status"] = "decided" if is_same else "changed label"
            row.update(zip(FILLED_IN, decision.content, strict=True))
    write_sheet(path, rows)
    return len(rows)


def _export_skos(workspace: Workspace, path: Path) -> int:
    """Writes the decisions in force, including those on classes missing from the latest scrape."""
    log = read_log(workspace)
    try:
        rows = workspace.read(LABELS, ["class_qid", "label_language"]).to_pylist()
    except MissingInputError:
        rows = []
    languages = {row["class_qid"]: row["label_language"] for row in rows}
    decisions = log.in_force()
    write_text(path, skos_text(decisions.values(), languages, position_of(log)))
    return len(decisions)


def skos_text(
    decisions: Iterable[Decision], languages: Mapping[str, str | None], position: str
) -> str:
    """Returns decisions as SKOS in Turtle.

    The two top concepts are natural and human-made. Super-categories are narrower concepts of
    these, and classes of super-categories; each class is an exact match of a Wikidata item. Ignored
    classes are in a collection.

    Args:
        decisions: those in force.
        languages: `class_qid` to the language of its label; None means no language, and a missing
            class means English.
        position: the end of the log, from `position_of`.
    """
    classes = sorted(decisions, key=lambda one: qid_number(one.class_qid))
    names = {(one.hierarchical_label, one.natural_or_human_made) for one in classes}
    blocks = [
        _PREFIXES,
        _block(
            _SCHEME,
            "a skos:ConceptScheme",
            'skos:prefLabel "super-categories of landmarks"@en',
            f"owl:versionInfo {_literal(position)}",
            f"skos:hasTopConcept {', '.join(f'<{_OURS}{side}>' for side in SIDES)}",
        ),
    ]
    blocks += [_concept(side, side, "en", f"skos:topConceptOf {_SCHEME}") for side in SIDES]
    blocks += [
        _concept(_super(label), label, "en", f"skos:broader <{_OURS}{side}>")
        for label, side in sorted((label, side or "") for label, side in names if label)
    ]
    for one in classes:
        qid, says = one.class_qid, [f"skos:notation {_literal(one.class_qid)}"]
        if _is_wikidata(qid):
            says.append(f"skos:exactMatch wd:{qid}")
        if one.note:
            says.append(f"skos:editorialNote {_literal(one.note)}")
        if one.hierarchical_label:
            says.append(f"skos:broader <{_OURS}{_super(one.hierarchical_label)}>")
        blocks.append(_concept(f"class:{qid}", one.class_label, languages.get(qid, "en"), *says))
    if ignored := [f"<{_OURS}class:{one.class_qid}>" for one in classes if one.action == "ignore"]:
        members, label = f"skos:member {', '.join(ignored)}", 'skos:prefLabel "ignored"@en'
        blocks.append(_block(f"<{_OURS}ignored>", "a skos:Collection", label, members))
    return "\n".join(blocks)


def _concept(name: str, label: str, language: str | None, *says: str) -> str:
    labelled = f"skos:prefLabel {_literal(label, language)}"
    return _block(f"<{_OURS}{name}>", "a skos:Concept", f"skos:inScheme {_SCHEME}", labelled, *says)


def _block(node: str, *says: str) -> str:
    return f"{node} " + " ;\n    ".join(says) + " .\n"


def _super(label: str) -> str:
    return f"supercategory:{quote(label, safe='')}"


def _literal(text: str, language: str | None = None) -> str:
    # Every JSON escape is also valid in Turtle.
    return json.dumps(text, ensure_ascii=False) + (f"@{language}" if language else "")


def example_landmarks(workspace: Workspace) -> dict[str, tuple[str, ...]]:
    """Returns a few example landmarks for each class: `class_qid` to names of Commons categories.

    Landmarks with the fewest other classes come first, because they show this class best; then
    those of train, then the smallest ids. Duplicate names are shown once.

    Args:
        workspace: a build; without a finished scrape the result is empty.
    """
    try:
        classes = workspace.read(CLASSES, [*_KEY, "class_qid"])
        categories = workspace.read(CATEGORIES, [*_KEY, "category", "page_title"])
    except MissingInputError:
        return {}
    # By columns, not rows: 200,000 landmarks take 1 s instead of 10 s.
    of_landmark: dict[tuple[str, int], set[str]] = defaultdict(set)
    for split, landmark, qid in zip(*classes.to_pydict().values(), strict=True):
        of_landmark[split, landmark].add(qid)
    named = {
        (split, landmark): title or unquote(category)
        for split, landmark, category, title in zip(*categories.to_pydict().values(), strict=True)
    }
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for key in sorted(of_landmark, key=lambda at: (len(of_landmark[at]), at[0] != "train", at[1])):
        name = named.get(key, "").rpartition("Category:")[2].replace("_", " ").strip()
        for qid in of_landmark[key] if name else ():
            if len(found[qid]) < _EXAMPLES:
                found[qid][name] = None
    return {qid: tuple(names) for qid, names in found.items()}


def _is_wikidata(qid: str) -> bool:
    return qid_number(qid) < _INVENTED
