"""The texts of a release for people: README.md, DATASHEET.md, CITATION.cff and RELEASE_NOTE.md.

Source: README.md starts with the metadata of Hugging Face
(https://huggingface.co/docs/hub/datasets-cards); DATASHEET.md answers Gebru et al., Datasheets for
Datasets, Communications of the ACM, 2021; CITATION.cff follows Citation File Format 1.2.0.
"""

import json
import string
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hgld.annotations.release.facts import GLDV2, ReleaseFacts
from hgld.annotations.release.released import MORE_TABLES, relative_to_release
from hgld.engine.dataset import shard_pattern
from hgld.tables import ANNOTATIONS, CREDITS, FILLED, PARTIAL, PLACE_COLUMNS

TEMPLATES = Path(__file__).parent / "templates"
_IMAGES_OF_GLDV2 = 4_132_914 + 761_757 + 117_577  # train, index, test
_PAGE_OF_GLDV2 = "https://github.com/cvdfoundation/google-landmark"
_MOST_ROWS = 20
"""Maximum rows of a table in the note; label_changes.parquet has all changes."""
_MOST_NAMES = 3
"""Most people whose names say who decided; of more, their number does."""
_CHANGE_WORDS = {
    "added": "added",
    "removed": "removed",
    "moved": "moved between data, filled, excluded and bad",
    "changed": "changed",
    "unchanged": "unchanged",
    "label_added": "got a label",
    "label_removed": "lost their label",
    "label_changed": "changed their label",
    "labels_gone": "removed with their label",
}


@cache
def texts() -> Mapping[str, Any]:
    """Returns the texts common to all releases, and those of the columns, from texts.toml."""
    return tomllib.loads((TEMPLATES / "texts.toml").read_text(encoding="utf-8"))


def sources(facts: ReleaseFacts) -> dict[str, str]:
    """Returns the URLs of what a release is made from, with what comes from each."""
    found = dict(texts()["sources"])
    if facts.config.source != GLDV2:
        del found[_PAGE_OF_GLDV2]
    return found


def keywords(facts: ReleaseFacts) -> list[str]:
    """Returns what a release is found by."""
    return [*texts()["keywords"], facts.config.source]


def dataset_card(facts: ReleaseFacts) -> str:
    """Returns README.md: metadata for Hugging Face, then text for people."""
    return f"---\n{_front_matter(facts)}---\n\n{_filled_in('card.md', _values(facts))}"


def datasheet(facts: ReleaseFacts) -> str:
    """Returns DATASHEET.md."""
    return _filled_in("datasheet.md", _values(facts))


def citation(facts: ReleaseFacts) -> str:
    """Returns CITATION.cff."""
    config = facts.config
    more = {"date-released": facts.release["date"], "url": config.url and _quoted(config.url)}
    values = {
        "title": _quoted(config.title),
        "version": facts.release["version"],
        "license": config.license,
        "abstract": _quoted(config.description),
        "authors": "\n".join(f"  - name: {_quoted(name)}" for name in config.creators),
        "more": "".join(f"{name}: {value}\n" for name, value in more.items() if value),
    }
    return _filled_in("citation.cff", values)


def release_note(facts: ReleaseFacts) -> str:
    """Returns RELEASE_NOTE.md: what changed since the previous release."""
    release = facts.release
    day = f" ({release['date']})" if release["date"] else ""
    lines = [f"# {facts.config.title} {release['version']}{day}", "", holds_words(facts), ""]
    if facts.counts["landmarks_filled"]:
        lines += [imputed_words(facts), ""]
    if release["changes"] is None:
        return "\n".join([*lines, "This is the first release.", ""])
    lines.append(
        f"Changes since {release['follows']}; each one is a row of `label_changes.parquet`, with "
        "its cause:"
    )
    kinds = [release["changes"][name] for name in ("landmarks", "images")]
    rows = [
        (words, *(f"{kind[name]:,}" if name in kind else "" for kind in kinds))
        for name, words in _CHANGE_WORDS.items()
        if any(kind.get(name) for kind in kinds)
    ]
    lines += ["", *_table(("", "landmarks", "images"), rows), ""]
    return "\n".join([*lines, *_causes(facts.changes)])


def holds_words(facts: ReleaseFacts) -> str:
    """Describes how much a release contains, and who decided its labels."""
    counts, (people, programs) = facts.counts, _deciders(facts)
    images = sum(counts["images"].values())
    listed = images + sum(sum(counts[table].values()) for table in ("filled", "excluded", "bad"))
    is_few = len(people) <= _MOST_NAMES
    who = [*map(_cell, sorted(people))] if is_few else [f"{len(people):,} people"]
    who += [f"a program ({name})" for name in programs]
    if facts.deciders.get(""):
        who.append("proposals or fills that nobody reviewed")
    is_gldv2 = facts.config.source == GLDV2
    of_all = f"; {GLDV2} has {_IMAGES_OF_GLDV2:,} images" if is_gldv2 else ""
    return (
        f"{images:,} images of {counts['landmarks_with_label']:,} landmarks have one of "
        f"{counts['labels']:,} super-categories. The tables list {listed:,} images and "
        f"{sum(counts['landmarks'].values()):,} landmarks{of_all}. Labels were decided by: "
        f"{', '.join(who) or 'nobody'}."
    )


def missing_words(facts: ReleaseFacts) -> str:
    """Describes what has no label, and why."""
    counts = facts.counts
    landmarks = sum(counts["landmarks"].values())
    without = landmarks - counts["landmarks_with_label"] - counts["landmarks_filled"]
    parts = [f"Landmarks without a label: {without:,} of {landmarks:,}"]
    for name, title in (("excluded", "excluded images"), ("bad", "pictures left out as bad")):
        total = sum(counts[name].values())
        why = ", ".join(f"{reason} {count:,}" for reason, count in counts[name].items())
        parts.append(f"{title}: {total:,}" + (f" ({why})" if why else ""))
    parts.append(f"train images without a known credit: {counts['credits_missing']:,}")
    return "; ".join(parts) + "."


def imputed_words(facts: ReleaseFacts) -> str:
    """Describes the labels that come from no class."""
    counts = facts.counts
    if not counts["landmarks_filled"]:
        return "No label is imputed: all labels come from classes."
    by = ", ".join(f"`{method}` {count:,}" for method, count in counts["filled_by"].items())
    return (
        f"{counts['landmarks_filled']:,} landmarks without a label of their classes have one from "
        f"other evidence, with a confidence (by `method`: {by}). Their "
        f"{sum(counts['filled'].values()):,} images are in `filled/`; the published CSV files and "
        "`hierarchy.parquet` do not count them."
    )


def decided_words(facts: ReleaseFacts) -> str:
    """Describes how many people decided, and how many labels come from their decisions."""
    people, programs = _deciders(facts)
    parts = [f"{sum(people.values()):,} from a person's decision (people: {len(people):,})"]
    parts += [f"{count:,} from a program's (`{name}`)" for name, count in programs.items()]
    parts.append(f"{facts.deciders.get('', 0):,} that nobody reviewed")
    return f"Labels of landmarks: {', '.join(parts)}."


def _deciders(facts: ReleaseFacts) -> tuple[dict[str, int], dict[str, int]]:
    """Returns people and programs, each with the number of landmarks they decided."""
    people = {name: count for name, count in facts.deciders.items() if name}
    programs = {name: people.pop(name) for name in [*people] if is_program(name)}
    return people, programs


def is_program(reviewer: str) -> bool:
    """Says whether a reviewer is this program, such as `hgld demo`, and not a person."""
    return reviewer.partition(" ")[0] == "hgld"


def _front_matter(facts: ReleaseFacts) -> str:
    """Returns the metadata for Hugging Face; values are JSON, which is valid YAML."""
    name, link = facts.config.license.lower(), facts.config.license_url
    other = {"license": "other", "license_name": name, "license_link": link}
    matter = ({"license": name} if name.startswith("cc") else other) | {
        "pretty_name": facts.config.title,
        "language": ["en"],
        "task_categories": ["image-feature-extraction"],
        "tags": [word.lower().replace(" ", "-") for word in keywords(facts)],
    }
    of_images = {"default": ANNOTATIONS, "filled": FILLED, "partial": PARTIAL}
    tables = {name: _patterns(facts, one) for name, one in of_images.items()}
    for table in tables_with_rows(facts):
        tables[table] = {"rows": shard_pattern(relative_to_release(MORE_TABLES[table].path))}
    # Patterns without sizes, so that some of the shards can be loaded as a data set.
    configs = (
        {"config_name": table, **({"default": True} if table == "default" else {})}
        | {"data_files": [{"split": one, "path": path} for one, path in patterns.items()]}
        for table, patterns in tables.items()
        if patterns or table == "default"
    )
    lines = [f"{key}: {_quoted(value)}" for key, value in matter.items()]
    return "\n".join([*lines, "configs:", *(f"- {_quoted(one)}" for one in configs), ""])


def _patterns(facts: ReleaseFacts, tables: Mapping[str, Any]) -> dict[str, str]:
    """Returns the shard pattern of each split that has shards."""
    patterns = {split: relative_to_release(dataset.path) for split, dataset in tables.items()}
    return {split: one for split, one in patterns.items() if facts.has_file(one)}


def tables_with_rows(facts: ReleaseFacts) -> list[str]:
    """Returns the MORE_TABLES that have rows; `datasets` cannot load an empty table."""
    rows = {name: sum(facts.counts[name].values()) for name in ("landmarks", "excluded", "bad")}
    rows |= {"hierarchy": facts.counts["labels"], "overlap": facts.overlaps}
    rows["levels"] = facts.own_labels
    rows["credits"] = facts.has_file(relative_to_release(CREDITS.path))
    return [name for name in MORE_TABLES if rows[name]]


def _values(facts: ReleaseFacts) -> dict[str, str]:
    """Returns the values for the templates of card and data sheet."""
    config, counts, known = facts.config, facts.counts, texts()
    tables = [
        f"`{name}` (its splits are those of the default)"
        for name, one in (("filled", FILLED), ("partial", PARTIAL))
        if _patterns(facts, one)
    ]
    tables += [f"`{name}`" for name in tables_with_rows(facts)]
    return {
        **{
            name: text if isinstance(text, str) else _items(text)
            for name, text in known["rai"].items()
        },
        "title": config.title,
        "description": config.description,
        "holds": holds_words(facts),
        "version": facts.release["version"],
        "released": f", {date}" if (date := facts.release["date"]) else "",
        "creators": ", ".join(config.creators),
        "license": f"[{config.license}]({config.license_url})",
        "contact": f" Questions and mistakes: {config.contact}." if config.contact else "",
        "where": f" at <{config.url}>" if config.url else "",
        "sources": _items(f"[{text}]({address})" for address, text in sources(facts).items()),
        "source": f"[{GLDV2}]({_PAGE_OF_GLDV2})" if config.source == GLDV2 else config.source,
        "missing": missing_words(facts),
        "imputed": imputed_words(facts),
        "decided": decided_words(facts),
        "days": " to ".join(facts.days) if facts.days else "on unknown days",
        "images": _items(f"{split}: {count:,} images" for split, count in counts["images"].items()),
        "labels": f"{counts['labels']:,}",
        "landmarks": f"{sum(counts['landmarks'].values()):,}",
        "configurations": ", ".join(tables),
        "credited": ", in `credits`" if "`credits`" in tables else "",
        "decisions": _items(f"`{name}`: {count:,}" for name, count in facts.decisions.items()),
        "columns": column_rows(ANNOTATIONS["train"].schema),
        "place_columns": column_rows(PLACE_COLUMNS),
        "placed": "\n".join(_placed_rows(facts)),
    }


def column_rows(fields: Iterable[pa.Field]) -> str:
    """Returns the rows of a table of columns: name, type, meaning."""
    about = texts()["columns"]
    return "\n".join(
        f"| `{one.name}` | {_type_words(str(one.type))} | {about[one.name]} |" for one in fields
    )


def _placed_rows(facts: ReleaseFacts) -> list[str]:
    """Returns how many landmarks have each part of a place, and why others do not."""
    rows = []
    for part, counts in facts.placed.items():
        why = ", ".join(f"{name} {count:,}" for name, count in counts.items() if name != "ok")
        have, total = counts.get("ok", 0), sum(counts.values()) or 1
        rows.append((part.replace("_", " "), f"{have:,}", f"{have / total:.0%}", why))
    return _table(("", "landmarks", "share", "the others"), rows)


def _causes(changes: pa.Table) -> list[str]:
    """Returns a table of causes for each kind of change that occurs."""
    landmarks = changes.filter(pc.equal(changes["kind"], "landmark"))
    images = changes.filter(pc.equal(changes["kind"], "image"))
    of_label = pc.match_substring_regex(landmarks["why"], r"\blabel\b")
    others = landmarks.filter(pc.invert(of_label))
    labels = ("hierarchical_label_before", "hierarchical_label_after", "why")
    lines = []
    for title, heads, rows, columns in (
        ("Labels", ("before", "now", "why", "landmarks"), landmarks.filter(of_label), labels),
        ("Other changes of landmarks", ("change", "why", "landmarks"), others, ("change", "why")),
        ("Images", ("change", "why", "images"), images, ("change", "why")),
    ):
        if len(rows):
            lines += [f"## {title}", "", *_table(heads, _most_frequent(rows, columns)), ""]
    return lines


def _most_frequent(rows: pa.Table, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Returns the most frequent combinations of some columns, with their counts."""
    groups = rows.group_by(list(columns)).aggregate([([], "count_all")])
    order = [("count_all", "descending"), *((name, "ascending") for name in columns)]
    groups = groups.sort_by(order)
    found = [
        (*(_cell(row[name]) for name in columns), f"{row['count_all']:,}")
        for row in groups.slice(0, _MOST_ROWS).to_pylist()
    ]
    if more := len(groups) - len(found):
        rest = sum(groups["count_all"].slice(_MOST_ROWS).to_pylist())
        found.append((f"and {more} more", *[""] * (len(columns) - 1), f"{rest:,}"))
    return found


def _cell(value: str | None) -> str:
    """Returns a value as one table cell, without line breaks and with `|` escaped."""
    return "(none)" if value is None else " ".join(value.splitlines()).replace("|", "\\|")


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> list[str]:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *map(list, rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _filled_in(template: str, values: Mapping[str, str]) -> str:
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return string.Template(text).substitute(values)


def _type_words(kind: str) -> str:
    return kind if len(kind) < len("timestamp[ms, tz=UTC]") else kind.partition("<")[0]


def _items(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _quoted(value: object) -> str:
    """Returns a value as JSON, which is valid YAML for any content."""
    return json.dumps(value, ensure_ascii=False)
