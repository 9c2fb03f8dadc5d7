"""Dump files of any size, shaped as those of Commons and Wikidata, for measurements."""

import gzip
import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

# Parts of the rows, as far as such a mix can be like dumps whose sizes differ by a factor of 1000.
SHARES = {
    "page": 0.4,
    "page_props": 0.2,
    "wb_items_per_site": 0.2,
    "categorylinks": 0.06,
    "pagelinks": 0.06,
    "linktarget": 0.06,
    "redirect": 0.02,
}
DUMP_COLUMNS = {
    "page": (
        "page_id page_namespace page_title page_is_redirect page_is_new page_random page_touched "
        "page_links_updated page_latest page_len page_content_model page_lang"
    ),
    "page_props": "pp_page pp_propname pp_value pp_sortkey",
    "wb_items_per_site": "ips_row_id ips_item_id ips_site_id ips_site_page",
    "categorylinks": "cl_from cl_sortkey cl_timestamp cl_type cl_collation_id cl_target_id",
    "pagelinks": "pl_from pl_from_namespace pl_target_id",
    "linktarget": "lt_id lt_namespace lt_title",
    "redirect": "rd_from rd_namespace rd_title rd_interwiki rd_fragment",
}
_CLASSES = 7_000
ROWS_A_STATEMENT = 8_000  # about 1 MB, as mysqldump makes them
HARD, SOFT = 100, 50  # one landmark in so many is such a redirect


def write_dumps(folder: Path, rows: int, landmarks: int, seed: int) -> int:
    """Writes the dumps and the list of landmarks; returns how many rows of SQL they have.

    Of the landmarks' pages some are hard redirects and some soft ones, to pages that are no
    landmark's; all others have an item, in one of the two tables that tell it.
    """
    counts = {table: int(rows * share) for table, share in SHARES.items()}
    rng = random.Random(seed)  # noqa: S311 - a benchmark's data
    made = {
        "page": (_page(number, landmarks) for number in range(counts["page"])),
        "page_props": (_prop(number, landmarks) for number in range(counts["page_props"])),
        "wb_items_per_site": (
            f"{n},{n + 1},'{'commonswiki' if n % 2 else 'enwiki'}','{_title(n, ' ')}'"
            for n in range(counts["wb_items_per_site"])
        ),
        "categorylinks": (
            f"{n},'K\\0\\'EY {n}','2026-11-01 00:00:00','subcat',1,{1 if n % SOFT == 1 else n + 2}"
            for n in range(counts["categorylinks"])
        ),
        "pagelinks": (f"{n},14,{n + 2}" for n in range(counts["pagelinks"])),
        "linktarget": (
            f"{n + 1},14,'{_title(n - 1 + landmarks, '_', 9) if n else ':Category_redirects'}'"
            for n in range(counts["linktarget"])
        ),
        "redirect": (
            f"{n * HARD},14,'{_title(n * HARD + landmarks, '_', 9)}','',''"
            for n in range(counts["redirect"])
        ),
    }
    for table, texts in made.items():
        wiki = "wikidatawiki" if table == "wb_items_per_site" else "commonswiki"
        _write_sql(folder / f"{wiki}-20261101-{table}.sql.gz", table, texts)
        print(f"wrote {counts[table]:,} rows of {table}", flush=True)
    _write_entities(folder / "wikidata-20261101-all.json.gz", 2 * landmarks, rng)
    lines = (
        f"{n},http://commons.wikimedia.org/wiki/{_title(n, '_').replace(chr(92), '')}\n"
        for n in range(landmarks)
    )
    (folder / "categories.csv").write_text("landmark_id,category\n" + "".join(lines), "utf-8")
    return sum(counts.values())


def _title(number: int, space: str, start: int = 0) -> str:
    return f"Category:O\\'Hara{space}Tower{space}{number:07d}"[start:]


def _page(number: int, landmarks: int) -> str:
    # The first pages are the landmarks', the next ones what those redirect to, all others files.
    is_category = number < 2 * landmarks
    title = _title(number, "_", 9) if is_category else f'A_\\"file\\"_{number}.jpg'
    is_redirect = int(number < landmarks and number % HARD == 0)
    return (
        f"{number},{14 if is_category else 6},'{title}',{is_redirect},0,0.{number:012d},"
        f"'20261101000000','20261101000000',{number + 9},1234,'wikitext',NULL"
    )


def _prop(number: int, landmarks: int) -> str:
    if number < 2 * landmarks and number % SOFT != 1 and number % 3:
        return f"{number},'wikibase_item','Q{number + 1}',NULL"
    return f"{number},'defaultsort','Tower, {number}',NULL"


def _write_sql(path: Path, table: str, rows: Iterator[str]) -> None:
    names = "".join(
        f"  `{name}` varbinary(255) NOT NULL,\n" for name in DUMP_COLUMNS[table].split()
    )
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        file.write(f"CREATE TABLE `{table}` (\n{names}  PRIMARY KEY (`x`)\n) ENGINE=InnoDB;\n")
        while block := list(islice(rows, ROWS_A_STATEMENT)):
            file.write(f"INSERT INTO `{table}` VALUES ({'),('.join(block)});\n")  # noqa: S608 - a file
        file.write("-- Dump completed on 2026-11-01  3:04:05\n")


def _write_entities(path: Path, items: int, rng: random.Random) -> None:
    first_class = items + 1
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        file.write("[")
        for number in range(1, items + _CLASSES + 1):
            prop = "P31" if number < first_class else "P279"
            value = {"entity-type": "item", "id": f"Q{first_class + rng.randrange(_CLASSES)}"}
            snak = {"snaktype": "value", "property": prop, "datavalue": {"value": value}}
            claims = {
                prop: [{"mainsnak": snak, "type": "statement", "rank": "normal"}],
                "P18": [{"mainsnak": {"snaktype": "somevalue"}, "rank": "normal"}] * 8,
            }
            label = {"language": "en", "value": f"entity {number}"}
            entity = {"type": "item", "id": f"Q{number}", "labels": {"en": label}, "claims": claims}
            comma = "," if number > 1 else ""
            file.write(f"{comma}\n{json.dumps(entity, separators=(',', ':'))}")
        file.write("\n]\n")
