"""Which room may import which, read from the code itself."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

STAGE_ROOMS = ("metadata", "scrape", "labels", "review", "annotations", "images")
_BUILD = ("errors", "engine", "http", "tables")
MAY_IMPORT = {
    "errors": (),
    "globe": (),
    "memory": (),
    "pictures": ("errors",),
    "engine": ("errors",),
    "http": ("errors", "engine"),
    "tables": ("errors", "engine"),
    **dict.fromkeys(STAGE_ROOMS, _BUILD),
    "annotations": (*_BUILD, "globe"),
    "images": (*_BUILD, "pictures"),
    "labels": (*_BUILD, "globe", "pictures"),
    # What a user reads labels with; how GLDv2's own tables are read is said in `metadata`.
    "loading": (*_BUILD, "metadata", "pictures"),
    "pages": (*_BUILD, *STAGE_ROOMS, "globe", "pictures"),
    "demo": (*_BUILD, *STAGE_ROOMS),
    # Numbers into marks and markup: it knows no table and no stage.
    "plots": (),
    # Mathematics: it shows how far it is, and knows no stage and no workspace.
    "metrics": ("errors", "engine.progress"),
    "losses": ("errors", "metrics"),
    "training": (*_BUILD, "loading", "memory", "pictures", "plots", "losses", "metrics"),
    "benchmarks": (
        *(*_BUILD, *STAGE_ROOMS, "loading", "memory", "pages", "pictures", "plots"),
        *("losses", "metrics", "training"),
        "demo",  # whose pictures are drawings
    ),
    "flows": (
        *(*_BUILD, *STAGE_ROOMS, "loading", "pages", "pictures", "demo"),
        *("losses", "metrics", "training", "benchmarks"),
    ),
}
"""Room, or module at the top of `hgld`, to what it may import beside itself."""

# Inside the largest room, in the order of a reader: what is archived, what it means, what is known.
MAY_IMPORT_IN_SCRAPE = {
    "archive": (),
    "wikimedia": ("archive",),
    "knowledge": ("wikimedia",),
    "config": (),
    "refresh": (),
    "rows": ("knowledge", "wikimedia"),
    "services": ("archive", "config"),
    "questions": ("archive", "wikimedia", "knowledge", "config", "services"),
    "verify": ("archive", "wikimedia", "config", "services", "questions"),
    "parents": ("archive", "wikimedia", "config", "questions", "verify"),
    "places": ("archive", "wikimedia", "config", "questions", "verify"),
    "estimate": ("archive", "wikimedia", "config", "questions", "stage"),
    "stage": (
        *("archive", "wikimedia", "knowledge", "config", "refresh", "rows"),
        *("questions", "verify", "places"),
    ),
}


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yields the line and the dotted name of everything that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports from a relative place"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def is_in(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def files_of(room: Path) -> list[Path]:
    return sorted(room.rglob("*.py")) if room.is_dir() else [room.with_suffix(".py")]


def forbidden(folder: Path, prefix: str, allowed: dict[str, tuple[str, ...]]) -> list[str]:
    """Returns the offending lines of the rooms of a folder, as `file:line imports name`."""
    found = []
    for room, others in allowed.items():
        for path in files_of(folder / room):
            for line, name in imports_of(path):
                inner = name.removeprefix(prefix)
                if inner in {name, "__version__"} and name != prefix.removesuffix("."):
                    continue  # what comes from outside has no prefix
                # A bare `import hgld` would give every room by its attributes.
                if not is_in(inner, (room, *others)):
                    found.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    return found


def rooms_in(folder: Path) -> set[str]:
    """Returns the files and folders with code; Python leaves its cache where a room was."""
    found = {path.relative_to(folder).parts[0] for path in folder.glob("*/**/*.py")}
    return found | {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}


def test_every_room_is_named_and_imports_point_one_way() -> None:
    assert rooms_in(ROOT / "hgld") | {"training", "benchmarks", "flows"} == set(MAY_IMPORT)
    assert rooms_in(ROOT / "hgld/scrape") == set(MAY_IMPORT_IN_SCRAPE)
    assert forbidden(ROOT / "hgld", "hgld.", MAY_IMPORT) == []
    assert forbidden(ROOT / "hgld/scrape", "hgld.scrape.", MAY_IMPORT_IN_SCRAPE) == []


def importing(names: tuple[str, ...], *places: Path) -> list[str]:
    """Returns the lines of files and folders that import one of the names."""
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for place in places
        for path in files_of(place)
        for line, name in imports_of(path)
        if is_in(name, names)
    ]


def test_everything_is_imported_by_one_name() -> None:
    """The folders beside `hgld` are rooms of it, and no modules of their own."""
    others = ("training", "benchmarks", "flows")
    folders = [ROOT / folder for folder in ("hgld", "tests", *others)]
    assert importing(others, *folders) == []
    for room in others:
        assert (ROOT / "hgld" / room).resolve() == (ROOT / room).resolve()


def test_the_scrape_asks_in_one_place_and_training_never_imports_prefect() -> None:
    """What is archived, known and made of it can be read, tested and replayed without a network."""
    network = ("hgld.http", "requests", "urllib3", "mwclient", "SPARQLWrapper", "socket")
    offline = MAY_IMPORT_IN_SCRAPE.keys() - {"services", "questions", "config", "stage"}
    assert importing(network, *(ROOT / "hgld/scrape" / room for room in offline)) == []
    assert importing(("prefect",), ROOT / "training") == []


def test_the_command_line_and_the_stages_start_without_torch_and_prefect() -> None:
    modules = "hgld.engine.stage, hgld.scrape.stage, hgld.annotations.stage"
    heavy = {"torch", "prefect", "open_clip", "sklearn", "sentence_transformers"}
    code = f"import sys, {modules}, hgld.flows.cli.commands; print({heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
