"""A build of one's own pictures, of anything: `hgld build --categories FILE`.

A row of the list is a picture and what it shows: a category of Commons, or an item of Wikidata. Of
a row without a picture, some are fetched from Commons (`hgld.flows.fetched_pictures`). The pictures
are laid out as GLDv2's are, in `source/` of the build, and the ordinary steps run on them.

Without the column `split`, a third of the categories, by a digest of their names, is index, and a
quarter of their pictures, at least one of several, are test queries; all others are train. So are
the pictures divided that are fetched for a row of index.
"""

import dataclasses
import hashlib
import json
import logging
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from hgld.engine.files import file_digest, write_text
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.flows.build import keep_setting, load_step, resolve_paths
from hgld.flows.fetched_pictures import FETCHED, fetch_pictures
from hgld.flows.steps import Sections
from hgld.metadata.layout import LaidPicture, Layout, write_layout
from hgld.scrape.wikimedia.titles import canonical_title, is_askable, title_of_url
from hgld.scrape.wikimedia.wikidata import is_qid
from hgld.tables.csv_files import csv_text, escape_cell, read_csv_list, unescape_cell

logger = logging.getLogger(__name__)

_SOURCE = "source"
_MARKER = f"{_SOURCE}/LISTED"
_LEFT_OUT = f"{_SOURCE}/left_out.csv"
_SPLITS = ("train", "index", "test")
_CREDIT = ("page", "author", "license")
_INDEX_EVERY = 3
_QUERY_EVERY = 4
_ID_DIGITS = 16
_COMMONS = "https://commons.wikimedia.org/wiki/Category:"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A row of the list."""

    place: str
    """Where it is, for errors."""
    category: str
    """A URL on Commons, or a Q-id."""
    image: str
    """Path of the picture, as in the list, or relative to `source/` if fetched; empty: none."""
    image_id: str
    """Of the picture's bytes, so that it stays when files move, and no picture is there twice."""
    split: str
    file: Path
    title: str
    credit: tuple[str, str, str]
    """Values of `_CREDIT`."""


def use_list(workspace: Workspace, path: Path, config: Path, sections: Sections) -> list[str]:
    """Lays out the pictures of a list in a build, and has the build read them.

    Args:
        workspace: the build; it must be new, or of a list.
        path: a file for `read_csv_list`, with the column category and optionally image (a path,
            relative to the list; empty: some are fetched), split, author, license and page.
        config: the settings file, which gets where the pictures are and, unless it has others,
            settings for levels of one's own.
        sections: the settings, which get the same.

    Returns:
        Lines that tell what was done.

    Raises:
        InputError: the build is of something else, or the list has a bad row, which it names.
        FetchError: pictures cannot be fetched; those that came are kept.
        IncompleteError: nothing is known of some categories yet.
    """
    if workspace.path("stages").is_dir() and not workspace.path(_MARKER).is_file():
        raise InputError(f"{workspace.root} is a build of something else; choose another --root")
    rows = _read(path)
    is_complete = all(row.image for row in rows)
    if is_complete:
        rows = _divided_list(path, rows)  # refused before anything is written
    told = []
    with workspace.lock():
        if not is_complete:
            rows = _divided_list(path, _completed(workspace, rows, sections))
        source = os.path.relpath(workspace.path(_SOURCE), config.parent)
        new: Sections = {}
        for section, name, value in _settings(source, path, sections):
            new.setdefault(section, {})[name] = value
            if keep_setting(config, section, name, value):
                told.append(f"{config}: saved [{section}] {name} = {json.dumps(value)}")
        resolve_paths(new, config.parent)
        for section, values in new.items():
            sections.setdefault(section, {}).update(values)
        _lay_out(workspace, rows)
    counts = ", ".join(f"{sum(row.split == one for row in rows)} {one}" for one in _SPLITS)
    categories = len({row.category for row in rows})
    return [*told, f"{path}: {len(rows)} pictures of {categories} categories ({counts})"]


def _settings(source: str, path: Path, sections: Sections) -> Iterator[tuple[str, str, object]]:
    """Yields section, name and value of each setting to save."""
    yield "metadata", "base_url", f"{source}/metadata"
    yield "images", "base_url", source
    for split in _SPLITS:
        yield "images", f"{split}_tars", 1
    about = f"Labels of the categories in {path.name}, by the classes of Wikidata."
    defaults: dict[str, dict[str, object]] = {
        # No one need say which of GLDv2's super-categories a class is: the levels are Wikidata's.
        "review": {"accept_proposals": True},
        "hierarchy": {"levels": ["landmark", "class", "superclass"]},
        "train": {"hierarchy": "own"},
        "benchmark": {"hierarchy": ["own"]},
        "release": {"title": f"Labels of {path.stem}", "description": about, "source": path.name},
    }
    for section, values in defaults.items():
        there = sections.get(section, {})
        if "accept_above" not in there:  # which excludes accept_proposals
            yield from (
                (section, name, value) for name, value in values.items() if name not in there
            )


def _completed(workspace: Workspace, rows: Sequence[_Listed], sections: Sections) -> list[_Listed]:
    """Fetches pictures for the rows that have none; tells and writes which get none."""
    bare = {row.category: row for row in rows if not row.image}
    config, folder = load_step("scrape", sections).settings, workspace.path(FETCHED)
    fetched, lost = fetch_pictures(workspace, config, list(bare))
    new = [
        dataclasses.replace(
            row,
            image=f"{folder.name}/{one.name}",
            image_id=file_digest(folder / one.name)[:_ID_DIGITS],
            file=folder / one.name,
            title=one.title,
            credit=(one.page, one.author, one.license),
        )
        for category, row in bare.items()
        for one in fetched.get(category, ())
    ]
    if index := {row.category for row in new if row.split == "index"}:
        new = _divided(new, index)
    write_text(workspace.path(_LEFT_OUT), csv_text([("category", "reason"), *lost.items()]))
    for category, reason in lost.items():
        logger.warning("%s has no pictures and is left out: %s", category, reason)
    return list({row.image_id: row for row in [*new, *rows] if row.image}.values())


def _lay_out(workspace: Workspace, rows: Sequence[_Listed]) -> None:
    """Writes `source/`, also with a table of which picture has which id."""
    numbers: dict[str, dict[str, int]] = {"train": {}, "index": {}}
    pictures: dict[str, list[LaidPicture]] = {split: [] for split in _SPLITS}
    for row in rows:
        known = numbers["train" if row.split == "train" else "index"]
        landmark_id = known.setdefault(row.category, len(known) + 1)
        one = LaidPicture(
            image_id=row.image_id, landmark_id=landmark_id, title=row.title, credit=row.credit
        )
        pictures[row.split].append(one)
    categories = {
        space: {landmark_id: category for category, landmark_id in known.items()}
        for space, known in numbers.items()
    }
    layout = Layout(categories=categories, pictures=pictures)
    files = {row.image_id: row.file for row in rows}
    write_layout(workspace.path(_MARKER), layout, lambda one: files[one.image_id].read_bytes())
    cells = [
        (row.image_id, row.split, row.category, row.image, *map(escape_cell, row.credit))
        for row in rows
    ]
    names = ("image_id", "split", "category", "image", *_CREDIT)
    write_text(workspace.path(f"{_SOURCE}/pictures.csv"), csv_text([names, *cells]))


def _read(path: Path) -> list[_Listed]:
    """Reads a list.

    Raises:
        InputError: it cannot be read, or has a bad row.
    """
    rows: list[_Listed] = []
    before: dict[str, _Listed] = {}
    for number, cells in read_csv_list(path, ("category",), ("image", "split", *_CREDIT)):
        row = _listed(path, f"{path} row {number}", cells)
        if (other := before.setdefault(row.image_id or row.category, row)) is not row:
            what = f"picture {row.image!r:.60}" if row.image else "category"
            raise InputError(f"{row.place} must not have the {what} of {other.place} again")
        rows.append(row)
    categories = {row.category for row in rows}
    if len(categories) < 2:  # noqa: PLR2004 - one to learn from, one to find
        raise InputError(f"{path} must have two or more categories, got {len(categories)}")
    return rows


def _divided_list(path: Path, rows: list[_Listed]) -> list[_Listed]:
    """Gives each row a split.

    Raises:
        InputError: the list has nothing that can be trained or measured.
    """
    is_split = any(row.split for row in rows)
    if not is_split:
        rows = _divided(rows)
    if lacking := {*_SPLITS} - {row.split for row in rows}:
        why = "add pictures" if is_split else "add categories with two or more pictures"
        raise InputError(f"{path} must have pictures for {min(lacking)}, got none; {why}")
    found = {row.category for row in rows if row.split == "index"}
    if lost := [row for row in rows if row.split == "test" and row.category not in found]:
        raise InputError(f"{lost[0].place} is a query, but no index picture has its category")
    return rows


def _listed(path: Path, place: str, cells: dict[str, str]) -> _Listed:
    """Checks a row."""
    if "split" in cells and cells["split"] not in _SPLITS:
        got = f"{cells['split']!r:.60}"
        raise InputError(f"{place} must have split {', '.join(_SPLITS)}, got {got}")
    try:
        category = _category(cells["category"])
    except ValueError as error:
        raise InputError(f"{place} must have a category of Commons or a Q-id: {error}") from error
    image, split = cells.get("image", "").strip(), cells.get("split", "")
    page, author, terms = (unescape_cell(cells.get(name, "")) for name in _CREDIT)
    file = path.parent / image
    if image and not file.is_file():
        raise InputError(f"{place} must have the path of a picture, or none, got {image!r:.200}")
    if split == "test" and not image:
        raise InputError(f"{place} must have a picture for test; those fetched for index give some")
    return _Listed(
        place=place,
        category=category,
        image=image,
        image_id=file_digest(file)[:_ID_DIGITS] if image else "",
        split=split,
        file=file,
        title=image,
        credit=(page, author, terms),
    )


def _category(cell: str) -> str:
    """Returns the URL of a category, or a Q-id, so that two spellings are one.

    Raises:
        ValueError: it is neither.

    Example:
        >>> _category("starry_Night"), _category("https://www.wikidata.org/wiki/Q45585")
        ('https://commons.wikimedia.org/wiki/Category:Starry_Night', 'Q45585')
    """
    try:
        title = title_of_url(cell)
    except ValueError:
        if "://" in cell:
            raise
        title = canonical_title(cell)
    if is_qid(title):
        return title
    name = title.removeprefix("Category:").strip()
    if not is_askable(name):
        raise ValueError(f"got {cell or 'none'!r:.60}")
    # Commons takes a small first letter for a capital.
    return _COMMONS + quote(f"{name[0].upper()}{name[1:]}".replace(" ", "_"))


def _divided(rows: Sequence[_Listed], index: Collection[str] = ()) -> list[_Listed]:
    """Gives each row its split, as the module's docstring says; `index`: known categories of it."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        ids[row.category].append(row.image_id)
    by_digest = sorted(ids, key=lambda one: hashlib.sha256(one.encode()).digest())
    index = index or by_digest[: max(1, len(ids) // _INDEX_EVERY)]
    queries = set[str]()
    for category in index:
        count = len(ids[category])
        queries.update(sorted(ids[category])[: max(count > 1, count // _QUERY_EVERY)])
    split = {True: "test", False: "index"}
    return [
        dataclasses.replace(
            row, split=split[row.image_id in queries] if row.category in index else "train"
        )
        for row in rows
    ]
