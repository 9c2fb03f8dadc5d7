r"""Entities of Wikidata from its dumps: all statements as JSON, or the best ones as N-Triples.

The JSON dump (`latest-all.json.gz`) has one entity a line, with every rank, and leaves out the
entities that were merged into others; what is read of a line, and nothing else:

    {"type":"item","id":"Q1","labels":{"en":{"language":"en","value":"castle"}},
     "claims":{"P31":[{"rank":"normal","mainsnak":{"snaktype":"value",
        "datavalue":{"value":{"entity-type":"item","id":"Q2"}}}}],
      "P1282":[{"rank":"normal","mainsnak":{"snaktype":"value",
        "datavalue":{"value":"Tag:historic=castle"}}}]}},

The truthy dump (`latest-truthy.nt.gz`) has one fact a line: the best statements without their rank,
labels, and merges; what is read is

    <http://www.wikidata.org/entity/Q1> <http://www.wikidata.org/prop/direct/P31> <...entity/Q2> .
    <http://www.wikidata.org/entity/Q1> <http://www.w3.org/2000/01/rdf-schema#label> "castle"@en .
    <http://www.wikidata.org/entity/Q3> <http://www.w3.org/2002/07/owl#sameAs> <...entity/Q1> .
    <http://www.wikidata.org/entity/Q1> <.../direct/P1282> "Tag:historic=castle" .
    <http://www.wikidata.org/entity/Q1> <.../direct/P1709> <http://dbpedia.org/ontology/Castle> .

A value of P31, P279 and P301 that is no entity is unknown, and so is any blank node and any snak
with no value: see `hgld.scrape.wikimedia.wikidata`.
"""

import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from hgld.errors import InputError
from hgld.scrape.dumps.files import BLOCK_BYTES, DumpFiles, read_line_blocks
from hgld.scrape.wikimedia.wikidata import (
    EVIDENCE,
    INSTANCE_OF,
    LABEL_LANGUAGES,
    MAIN_TOPIC,
    SUBCLASS_OF,
    UNKNOWN,
    Entity,
    Statement,
    is_qid,
)

_PROPERTIES = (INSTANCE_OF, MAIN_TOPIC, SUBCLASS_OF, *EVIDENCE)
_KEPT_RANKS = ("preferred", "normal")
_ENTITY = "http://www.wikidata.org/entity/"

# What may stand before the id, in the order of the dumps; any other order is read in full.
_HEAD = re.compile(
    rb'\{(?:"(?:pageid|ns|lastrevid)":\d+,|"(?:title|modified)":"[^"]*",)*'
    rb'"type":"[a-z-]+","id":"(\w+)"'
)
# It starts with a line feed: a pattern with a fixed start is found ten times faster than one
# that is tried at every line.
_TRIPLE = re.compile(
    rb"\n<http://www\.wikidata\.org/entity/(Q\d+)> <(?:"
    rb"http://www\.wikidata\.org/prop/direct/(P31|P279|P301|P1282|P1709|P8814)|"
    rb"http://www\.w3\.org/2002/07/owl#(sameAs)|"
    rb"http://www\.w3\.org/2000/01/rdf-schema#(label))> "
    rb'(?:<http://www\.wikidata\.org/entity/(\w+)>|"((?:[^"\\\n]|\\.)*+)"(?:@(en|mul)|\^\^\S+)?|<([^>\n]*)>|_:\S+)'
    rb" ?\.(?=\n)"
)
_LINE = re.compile(rb"\n(?:<|_:)")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_NO_CHARACTER = "\ud800"  # half a surrogate pair, which no table takes
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def read_entities(files: DumpFiles, wanted: Collection[str]) -> dict[str, Entity]:
    """Finds entities in the JSON dump, and in the truthy dump those beyond: merged ones above all.

    Args:
        files: the dumps.
        wanted: Q-ids.

    Returns:
        Q-id to facts, of those that are there.

    Raises:
        InputError: a dump is cut off, or holds something else.
    """
    try:
        found = {} if files.entities is None else read_json_entities(files.entities, wanted)
        left = set(wanted) - found.keys()
        if left and files.truthy is not None:
            found |= read_truthy_entities(files.truthy, left)
    except (ValueError, RecursionError) as error:
        raise files.unreadable(error) from error
    return found


def read_json_entities(
    path: Path, wanted: Collection[str], block_bytes: int = BLOCK_BYTES
) -> dict[str, Entity]:
    """Finds entities in a JSON dump, in one pass.

    Args:
        path: the dump.
        wanted: Q-ids.
        block_bytes: how much is looked at in one piece.

    Returns:
        Q-id to facts, of those that are there.

    Raises:
        InputError: the file is no JSON dump of Wikidata, or is cut off.
    """
    found: dict[str, Entity] = {}
    for line in _json_lines(path, block_bytes):
        head = _HEAD.match(line)
        if head and head[1].decode() not in wanted:
            continue
        try:
            fields = json.loads(line)
            if fields["id"] in wanted:
                found[fields["id"]] = _entity(fields)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise InputError(
                f"{path} has a line that is no entity ({line[:60]!r}: {error!r}); download it again"
            ) from error
    return found


def _json_lines(path: Path, block_bytes: int) -> Iterator[bytes]:
    """Yields the line of each entity, without the comma after it."""
    last = b""
    for block in read_line_blocks(path, block_bytes):
        for line in block.split(b"\n"):
            text = line.rstrip(b",\r ")
            last = text or last
            if text and text not in {b"[", b"]"}:
                yield text
    if last != b"]":
        raise InputError(f"{path} does not end with ']': it is cut off; download it again")


def _entity(fields: Mapping[str, Any]) -> Entity:
    # PHP writes an empty map as an empty list.
    labels, claims = fields["labels"] or {}, fields["claims"] or {}
    entity = Entity()
    for language in LABEL_LANGUAGES:
        if language in labels:
            entity.labels[language] = labels[language]["value"]
    for prop in _PROPERTIES:
        kept = [claim for claim in claims.get(prop, ()) if claim["rank"] in _KEPT_RANKS]
        if kept:
            value_of = _text if prop in EVIDENCE else _item
            entity.statements[prop] = [Statement(one["rank"], value_of(one)) for one in kept]
    return entity


def _text(claim: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever is there: it is checked later
    """Returns the text of a statement's value, or an empty string."""
    return claim["mainsnak"].get("datavalue", {}).get("value", "")


def _item(claim: Mapping[str, Any]) -> str:
    """Returns the Q-id of a statement's value, or an empty string."""
    value = claim["mainsnak"].get("datavalue", {}).get("value", {})
    qid = str(value.get("id") or f"Q{value.get('numeric-id')}")
    return qid if is_qid(qid) else ""


def read_truthy_entities(
    path: Path, wanted: Collection[str], block_bytes: int = BLOCK_BYTES
) -> dict[str, Entity]:
    """Finds entities in a truthy N-Triples dump, in one pass; their statements have rank `best`.

    Args:
        path: the dump.
        wanted: Q-ids.
        block_bytes: how much is looked at in one piece.

    Returns:
        Q-id to facts, of those that any fact is there of.

    Raises:
        InputError: the file is no N-Triples dump, or is cut off.
    """
    found: dict[str, Entity] = {}
    is_triples = False
    for block in read_line_blocks(path, block_bytes):
        lines = b"\n" + block
        if not is_triples and not (is_triples := _LINE.match(lines) is not None):
            raise InputError(f"{path} is no N-Triples dump: it starts with {block[:60]!r}")
        for triple in _TRIPLE.finditer(lines):
            qid = triple[1].decode()
            if qid in wanted:
                _take(found.setdefault(qid, Entity()), triple)
    if not is_triples:
        raise InputError(f"{path} is empty; download it again")
    return found


def _take(entity: Entity, triple: re.Match[bytes]) -> None:
    _, prop, same, label, value, text, language, uri = (
        # What is no UTF-8 stays what no table takes, and fails the rows that need it.
        None if part is None else part.decode("utf-8", errors="surrogateescape")
        for part in triple.groups()
    )
    qid = value if value and is_qid(value) else ""
    if same:
        entity.merged_into = qid
    elif label and language:
        entity.labels[language] = _unescaped(text or "")
    elif prop in EVIDENCE:
        uri = f"{_ENTITY}{value}" if value else uri or ""
        known = _unescaped(text or ("" if uri.startswith(UNKNOWN) else uri))
        entity.statements.setdefault(prop, []).append(Statement("best", known))
    elif prop:
        entity.statements.setdefault(prop, []).append(Statement("best", qid))


def _unescaped(text: str) -> str:
    """Returns the text that stands in N-Triples with its escapes."""

    def character(escape: re.Match[str]) -> str:
        if not (code := escape[1] or escape[2]):
            return _ESCAPES.get(escape[3], escape[3])
        number = int(code, 16)
        return chr(number) if number <= sys.maxunicode else _NO_CHARACTER

    return _ESCAPE.sub(character, text)
