"""Dump files for tests, as mysqldump and Wikidata's exporters write them."""

import gzip
import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hgld.engine.dataset import Dataset
from hgld.engine.workspace import Workspace
from hgld.scrape.wikimedia.wikidata import EVIDENCE
from tests.worlds.wikimedia.small import (
    HIDDEN,
    LABELS,
    MERGED,
    PAGES,
    PARENTS,
    REDIRECTS,
    STATEMENTS,
)

Value = str | bytes | int | float | None
Statements = Mapping[str, Sequence[tuple[str, str, str]]]
"""Q-id to (property, value, rank); an empty value is an unknown one."""

COLUMNS = {
    "page": (
        "page_id page_namespace page_title page_is_redirect page_is_new page_random page_touched "
        "page_links_updated page_latest page_len page_content_model page_lang"
    ),
    "redirect": "rd_from rd_namespace rd_title rd_interwiki rd_fragment",
    "page_props": "pp_page pp_propname pp_value pp_sortkey",
    "wb_items_per_site": "ips_row_id ips_item_id ips_site_id ips_site_page",
    "categorylinks": "cl_from cl_sortkey cl_timestamp cl_type cl_collation_id cl_target_id",
    "pagelinks": "pl_from pl_from_namespace pl_target_id",
    "linktarget": "lt_id lt_namespace lt_title",
}
COMPLETED = "-- Dump completed on 2026-11-01  3:04:05\n"
_ENTITY = "http://www.wikidata.org/entity/"
_ESCAPES = {
    b"\\": rb"\\",
    b"'": rb"\'",
    b'"': rb"\"",
    b"\0": rb"\0",
    b"\n": rb"\n",
    b"\r": rb"\r",
    b"\x1a": rb"\Z",
}


def sql_value(value: Value) -> bytes:
    """Returns a value as mysqldump writes it."""
    if value is None:
        return b"NULL"
    if isinstance(value, int | float):
        return str(value).encode()
    data = value.encode() if isinstance(value, str) else value
    return b"'%b'" % re.sub(rb"[\\'\"\0\n\r\x1a]", lambda found: _ESCAPES[found[0]], data)


def sql_text(
    table: str,
    rows: Iterable[Sequence[Value]],
    *,
    columns: str = "",
    rows_a_statement: int = 100,
    is_mariadb: bool = False,
) -> bytes:
    """Returns the text of a dump; newer mariadb-dump gives each row a line of its own."""
    names = (columns or COLUMNS[table]).split()
    lines = "".join(f"  `{name}` varbinary(255) NOT NULL,\n" for name in names)
    head = (
        f"-- MySQL dump 10.19  Distrib 10.5\n--\n\nDROP TABLE IF EXISTS `{table}`;\n"
        f"/*!40101 SET character_set_client = utf8 */;\nCREATE TABLE `{table}` (\n{lines}"
        f"  PRIMARY KEY (`{names[0]}`),\n  KEY `more` (`{names[-1]}`)\n) ENGINE=InnoDB;\n\n"
        f"LOCK TABLES `{table}` WRITE;\n/*!40000 ALTER TABLE `{table}` DISABLE KEYS */;\n"
    )
    texts = [b"(" + b",".join(map(sql_value, row)) + b")" for row in rows]
    start, gap = (b"VALUES\n", b",\n") if is_mariadb else (b"VALUES ", b",")
    statements = [
        b"INSERT INTO `%b` %b%b;\n"
        % (table.encode(), start, gap.join(texts[first : first + rows_a_statement]))
        for first in range(0, len(texts), rows_a_statement)
    ]
    tail = f"/*!40000 ALTER TABLE `{table}` ENABLE KEYS */;\nUNLOCK TABLES;\n\n{COMPLETED}"
    return b"".join([head.encode(), *statements, tail.encode()])


def write_sql(folder: Path, table: str, rows: Iterable[Sequence[Value]], columns: str = "") -> None:
    """Writes a dump under the name it has on dumps.wikimedia.org."""
    wiki = "wikidatawiki" if table == "wb_items_per_site" else "commonswiki"
    path = folder / f"{wiki}-20261101-{table}.sql.gz"
    path.write_bytes(gzip.compress(sql_text(table, rows, columns=columns), mtime=0))


def write_database(database: Path, folder: Path) -> None:
    """Writes every table of Commons from the SQLite file of a MediaWiki."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        for table in sorted(COLUMNS.keys() - {"wb_items_per_site"}):
            rows = connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - names from above
            columns = " ".join(column[0] for column in rows.description)
            write_sql(folder, table, rows.fetchall(), columns)
    finally:
        connection.close()


def write_pages(
    folder: Path,
    texts: Mapping[str, tuple[int, int, str]],
    items: Mapping[str, str],
    parents: Mapping[str, Sequence[str]] | None = None,
    hidden: Iterable[str] = (),
) -> None:
    """Writes every table of Commons.

    Args:
        folder: where to.
        texts: title to page id, revision id and wikitext, which says what redirects where.
        items: title to Q-id; every third one is in wb_items_per_site alone.
        parents: title to the categories that its page is in, without their namespace.
        hidden: those of them that are hidden.
    """
    targets = {_name("Category:Category redirects"): 1}
    tables: dict[str, list[Sequence[Value]]] = {name: [] for name in COLUMNS}
    for number, (title, (page_id, revision_id, text)) in enumerate(texts.items()):
        namespace = 14 if title.startswith("Category:") else 10
        hard = re.match(r"#REDIRECT \[\[:?(Category:[^\]]+)\]\]", text)
        tables["page"].append(
            (
                *(page_id, namespace, _name(title), int(hard is not None), 1, 0.25),
                *("20261101000000", None, revision_id, len(text), "wikitext", None),
            )
        )
        if hard:
            tables["redirect"].append((page_id, 14, _name(hard[1]), "", ""))
        soft = re.match(r"\{\{Category redirect\|(?:1=)?([^}]+)\}\}", text)
        if soft:
            target = targets.setdefault(_name(f"Category:{soft[1]}"), len(targets) + 1)
            tables["categorylinks"].append((page_id, b"K\0'", "2026-11-01", "subcat", 1, 1))
            tables["pagelinks"].append((page_id, namespace, target))
        for name in (parents or {}).get(title, ()):
            target = targets.setdefault(_name(f"Category:{name}"), len(targets) + 1)
            tables["categorylinks"].append((page_id, b"K'", "2026-11-01", "subcat", 1, target))
        if title.partition(":")[2] in hidden:
            tables["page_props"].append((page_id, "hiddencat", "", None))
        if title in items and number % 3:
            tables["page_props"].append((page_id, "wikibase_item", items[title], None))
        tables["page_props"].append((page_id, "defaultsort", "(1,'wikibase_item','Q666',NULL)", 1))
    tables["linktarget"] = [(number, 14, name) for name, number in targets.items()]
    tables["wb_items_per_site"] = [
        (number, int(qid[1:]), site, title if site == "commonswiki" else "Somewhere else")
        for number, (title, qid) in enumerate(items.items())
        for site in ("enwiki", "commonswiki")
    ]
    for name, rows in tables.items():
        write_sql(folder, name, rows)


def write_json(folder: Path, statements: Statements, labels: Mapping[str, dict[str, str]]) -> None:
    """Writes the dump of entities: every rank, and no merges."""
    entities = [
        json.dumps(_entity(qid, statements.get(qid, ()), labels.get(qid, {})))
        for qid in dict.fromkeys([*statements, *labels])
    ]
    text = "[\n" + ",\n".join(entities) + "\n]\n"
    (folder / "wikidata-20261101-all.json.gz").write_bytes(gzip.compress(text.encode()))


def _entity(
    qid: str, statements: Sequence[tuple[str, str, str]], labels: Mapping[str, str]
) -> dict[str, Any]:
    claims: dict[str, list[dict[str, Any]]] = {}
    for prop, value, rank in statements:
        snak: dict[str, Any] = {"snaktype": "value" if value else "somevalue", "property": prop}
        if value:
            snak["datavalue"] = {"value": value, "type": "string"}
            if prop not in EVIDENCE:
                known = {"entity-type": "item", "numeric-id": int(value[1:]), "id": value}
                snak["datavalue"] = {"value": known, "type": "wikibase-entityid"}
        claims.setdefault(prop, []).append({"mainsnak": snak, "rank": rank.lower()})
    texts = {language: {"language": language, "value": text} for language, text in labels.items()}
    # PHP writes an empty map as an empty list.
    return {"type": "item", "id": qid, "labels": texts or [], "claims": claims or []}


def write_truthy(
    folder: Path,
    statements: Statements,
    labels: Mapping[str, dict[str, str]],
    merged: Mapping[str, str],
) -> None:
    """Writes the truthy dump: the best statements, labels and merges."""
    lines = []
    for qid, facts in statements.items():
        for prop in dict.fromkeys(prop for prop, *_ in facts):
            ranks = {rank for one, _, rank in facts if one == prop}
            best = "Preferred" if "Preferred" in ranks else "Normal"
            for number, (one, value, rank) in enumerate(facts):
                if one == prop and rank == best:
                    known = _term(prop, value) if value else f"_:b{qid}{number}"
                    lines.append(
                        f"<{_ENTITY}{qid}> <http://www.wikidata.org/prop/direct/{prop}> {known} ."
                    )
    for qid, texts in labels.items():
        lines += [
            f"<{_ENTITY}{qid}> <http://www.w3.org/2000/01/rdf-schema#label> "
            f"{json.dumps(text)}@{language} ."
            for language, text in texts.items()
        ]
    lines += [
        f"<{_ENTITY}{old}> <http://www.w3.org/2002/07/owl#sameAs> <{_ENTITY}{new}> ."
        for old, new in merged.items()
    ]
    data = "".join(f"{line}\n" for line in lines).encode()
    (folder / "latest-truthy.nt.gz").write_bytes(gzip.compress(data))


def _term(prop: str, value: str) -> str:
    if prop == "P1709":
        return f"<{value}>"
    return json.dumps(value) if prop in EVIDENCE else f"<{_ENTITY}{value}>"


def write_small_dumps(folder: Path) -> None:
    """Writes the small Wikimedia of `tests.worlds.wikimedia.small` as dumps."""
    folder.mkdir(exist_ok=True)
    texts = {
        title: (index + 1, 1000 + sorted(PAGES).index(title), facts.get("soft", "x"))
        for index, (title, facts) in enumerate(PAGES.items())
    }
    for index, title in enumerate(PARENTS.keys() - PAGES.keys()):
        texts[title] = (index + 201, 2, "x")
    for index, (title, target) in enumerate(REDIRECTS.items()):
        texts[title] = (index + 101, 1, f"#REDIRECT [[:{target}]]")
    items = {
        title: facts["pageprops"]["wikibase_item"]
        for title, facts in PAGES.items()
        if "pageprops" in facts
    }
    write_pages(folder, texts, items, PARENTS, HIDDEN)
    write_json(folder, STATEMENTS, LABELS)
    write_truthy(folder, STATEMENTS, LABELS, MERGED)


def write_lab_entities(folder: Path, lab: Path) -> None:
    """Writes the lab's items: as JSON with their ranks, and as the triples of a truthy dump."""
    triples = gzip.decompress((lab / "wikidata.nt.gz").read_bytes()).decode().splitlines()
    is_truthy = re.compile(r"<[^>]+/entity/Q\d+> <[^>]+(?:/direct/\w+|#label|#sameAs)> ")
    lines = [line for line in triples if is_truthy.match(line)]
    (folder / "latest-truthy.nt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    ranks: dict[str, str] = {}
    values: dict[str, str] = {}
    claims: list[tuple[str, str, str]] = []
    labels: dict[str, dict[str, str]] = {}
    for line in triples:
        subject, predicate, value = line.removesuffix(" .").split(" ", 2)
        qid = subject.rpartition("/")[2].rstrip(">")
        name = re.split("[/#]", predicate.rstrip(">"))[-1]
        last = re.split("[/#]", value.rstrip(">"))[-1]
        if name == "rank":
            ranks[subject] = last.removesuffix("Rank")
        elif "/prop/statement/" in predicate:
            values[subject] = last if "/entity/Q" in value else ""
            if name in EVIDENCE and not value.startswith("_:") and "/genid/" not in value:
                values[subject] = json.loads(value) if value[0] == '"' else value[1:-1]
        elif "/prop/P" in predicate:
            claims.append((qid, name, value))
        elif name == "label":
            text, _, language = value.rpartition("@")
            labels.setdefault(qid, {})[language] = json.loads(text)
    statements: dict[str, list[tuple[str, str, str]]] = {}
    for qid, prop, statement in claims:
        fact = (prop, values.get(statement, ""), ranks[statement])
        statements.setdefault(qid, []).append(fact)
    write_json(folder, statements, labels)


def table_rows(workspace: Workspace, dataset: Dataset, *without: str) -> list[dict[str, Any]]:
    """Returns the rows of a table without the time of the fetch and some other columns."""
    rows = workspace.read(dataset).to_pylist()
    dropped = {"fetched_at", *without}
    return [{key: value for key, value in row.items() if key not in dropped} for row in rows]


def _name(title: str) -> str:
    return title.partition(":")[2].replace(" ", "_")
