"""The pictures of an index, and its folder: settings, place, content; light to import.

An index is a build of its own with one stage (`hgld.engine.stage`), which proves its files, goes on
where it was killed, and replaces an index as a whole. It has the rows of the pictures that have an
embedding, in shards; their vectors as one numpy array, in the order of the rows; and the pictures
that have none, with the reason.
"""

import hashlib
import json
import os
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.engine.config import Settings, setting
from hgld.engine.dataset import Dataset, ParquetLayout
from hgld.engine.stage import Stage, manifest_beside
from hgld.engine.workspace import Manifest, Workspace, load_manifest
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.pictures import DECODING, PictureFile
from hgld.tables import IMAGE_FILES
from hgld.training.model.config import Precision

PICTURE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp")
)
"""Endings of the names of pictures, in any case; their content decides whether they are any."""

LISTING_SCHEMA = pa.schema(
    [
        # of GLDv2; in a folder the path, which names a picture there
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("path", pa.string()),  # relative to the folder, or to the build; null: no file
        pa.field("size_bytes", pa.int64()),
        pa.field("modified_ns", pa.int64()),  # only in a folder, where it shows a change
        pa.field("sha256", pa.string()),  # only of a split, as recorded
        pa.field("error", pa.string()),  # why it cannot be embedded; null: nothing known yet
    ]
)
ARRAY_FILE = "embeddings.npy"
FACTS_KEY = "hgld.facts"
"""Of the metadata of a parquet file of embeddings: a JSON object that says what was done to the
pictures (`picture`), and for which protocol they are (`protocol`)."""
INDEX_STAGE = "index"
INDEX_VERSION = 2
"""To be raised when the same picture becomes another embedding."""
WHOLE_PICTURES = "whole pictures"
"""What was embedded, as a protocol says it, where no part of a picture was cut out."""
_PREFIX = "index-"
NOT_EMBEDDED = Dataset(
    path="not-embedded.parquet",
    stage=INDEX_STAGE,
    schema=pa.schema(
        [
            pa.field("image_id", pa.string(), nullable=False),
            pa.field("path", pa.string()),  # as in the listing
            pa.field("status", pa.string(), nullable=False),  # bad | failed
            pa.field("error", pa.string(), nullable=False),
        ]
    ),
)
"""The pictures of an index that have no embedding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSource:
    """Where the pictures of an index come from."""

    folder: Path
    """Absolute: the folder of pictures, or of the build."""
    split: str = ""
    """Of the build; empty: a folder of pictures."""

    def __str__(self) -> str:
        """Returns what it is, in words."""
        return f"the split {self.split} of {self.folder}" if self.split else str(self.folder)

    def listing(self) -> pa.Table:
        """Returns its pictures, by name, as `LISTING_SCHEMA`.

        Raises:
            InputError: there is no such folder, or no picture.
            MissingInputError: the images of the split have not been fetched yet.
            DamagedError: their records changed since they were written.
        """
        table = self._of_split() if self.split else self._of_folder()
        if not len(table):
            endings = ", ".join(sorted(PICTURE_SUFFIXES))
            what = f"{self} holds no picture to embed"
            raise InputError(f"{what}; those of a folder end in {endings}")
        return table.sort_by("image_id")

    def picture(self, path: str, size_bytes: int, sha256: str) -> PictureFile:
        """Returns a file of it, to be checked against its record when it is read."""
        mend = "run the same again"
        if self.split:
            command = Workspace(self.folder).command(f"images --split {self.split}")
            mend = f"run {command}, which fetches it again"
        return PictureFile(path=self.folder / path, size_bytes=size_bytes, sha256=sha256, mend=mend)

    def _of_folder(self) -> pa.Table:
        if not self.folder.is_dir():
            what = f"--images must be a folder of pictures, got {self.folder}"
            raise InputError(f"{what}; check the path")
        return pa.Table.from_pylist(list(_pictures_in(self.folder)), LISTING_SCHEMA)

    def _of_split(self) -> pa.Table:
        columns = ["image_id", "path", "size_bytes", "sha256", "status", "error"]
        table = Workspace(self.folder).read(IMAGE_FILES[self.split], columns)
        # A row without id stands for a whole tar, or for a file in it that is no image.
        table = table.filter(pc.not_equal(table["image_id"], ""))
        why = pc.coalesce(table["error"], table["status"])
        is_ok = pc.equal(table["status"], "ok")
        error = pc.if_else(is_ok, pa.scalar(None, pa.string()), why)
        table = table.set_column(table.schema.get_field_index("error"), "error", error)
        table = table.append_column("modified_ns", pa.nulls(len(table), pa.int64()))
        return table.select(LISTING_SCHEMA.names).cast(LISTING_SCHEMA)


def picture_source(workspace: Workspace, images: Path | None, split: str | None) -> PictureSource:
    """Returns what is to be embedded: a folder of pictures, or a split of the build.

    Raises:
        InputError: neither is given, or both, or there is no such split.
    """
    if (images is None) == (split is None):
        raise InputError(
            f"what to embed must be given by one of two: --images FOLDER for the pictures of a "
            f"folder, or --split train, index or test for those of {workspace.root}"
        )
    if images is not None:
        return PictureSource(folder=images.resolve())
    if split not in IMAGE_FILES:
        raise InputError(f"--split must be train, index or test, got {split!r}")
    return PictureSource(folder=workspace.root.resolve(), split=split)


def _pictures_in(folder: Path) -> Iterator[dict[str, object]]:
    """Yields the pictures under a folder, also in linked folders, without hidden ones."""
    seen: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        there = Path(place).stat()
        if (there.st_dev, there.st_ino) in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add((there.st_dev, there.st_ino))
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - of millions
            if suffix in PICTURE_SUFFIXES and not name.startswith("."):
                yield _row(f"{place}/{name}", folder)


def _row(path: str, folder: Path) -> dict[str, object]:
    """Returns what is known of a picture in a folder, by columns of the listing."""
    relative = os.path.relpath(path, folder)
    name = relative.encode("utf-8", "backslashreplace").decode()
    if name != relative:
        return {"image_id": name, "error": "has a name that is not UTF-8; rename it"}
    try:
        found = os.stat(path)  # noqa: PTH116 - of millions
    except OSError as error:  # such as a link that leads nowhere
        return {"image_id": name, "error": f"cannot be read: {error.strerror}"}
    size, time = found.st_size, found.st_mtime_ns
    return {"image_id": name, "path": name, "size_bytes": size, "modified_ns": time}


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexConfig(Settings):
    """Settings of `hgld index`. Only `precision` changes what is kept."""

    workers: int = setting(4, "Processes that read pictures, at most one a core; 0: none.", least=0)
    batch_size: int = setting(64, "Pictures at a time.", least=1)
    precision: Precision = setting("float32", "Number format of the forward pass.")
    device: str = setting("auto", "Such as cpu or cuda:0; auto: the first GPU, if any.")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOrigin:
    """What an index was made from; its stage's settings."""

    source: str
    """The folder of the pictures, or of the build."""
    split: str
    """Of the build; empty: a folder of pictures."""
    run: str
    """Folder or file of the model."""
    model: str
    """Digest of the model's settings and weights."""
    image_size: int
    precision: Precision
    numbers: str = "float32"
    """Number format of what is kept; an older index may have float16, and is read."""
    dimensions: int
    pictures: str = ""
    """Digest of the listing."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What was done to a picture (`embedding_facts`), which every shard says; empty: not known."""

    def recipe(self) -> str:
        """Returns a SHA-256, as hex, of what decides an embedding apart from the picture."""
        values = [INDEX_VERSION, DECODING, self.model, self.image_size, self.precision]
        return hashlib.sha256(json.dumps([*values, self.numbers]).encode()).hexdigest()

    def rows(self) -> Dataset:
        """Returns the table of the pictures that have an embedding."""
        fields = [
            pa.field("image_id", pa.string(), nullable=False),
            pa.field("path", pa.string(), nullable=False),  # this and the next two: see the listing
            pa.field("size_bytes", pa.int64(), nullable=False),
            pa.field("modified_ns", pa.int64()),
            pa.field("sha256", pa.string(), nullable=False),
            pa.field("recipe", pa.string(), nullable=False),  # as `IndexOrigin.recipe`
            # unit norm
            pa.field("embedding", pa.list_(pa.float32(), self.dimensions), nullable=False),
        ]
        # A dictionary of numbers that hardly repeat makes a shard 7% larger.
        facts = {FACTS_KEY: json.dumps(self.facts)} if self.facts else None
        layout = ParquetLayout(plain=("embedding.list.element",))
        return Dataset(
            path="embeddings", stage=INDEX_STAGE, schema=pa.schema(fields, facts), layout=layout
        )

    def stage(self) -> Stage:
        """Returns the stage that makes the index."""
        return Stage(
            name=INDEX_STAGE,
            version=INDEX_VERSION,
            outputs=(self.rows(), NOT_EMBEDDED),
            output_files=(ARRAY_FILE,),
        )


@dataclass(frozen=True, slots=True)
class EmbeddedIndex:
    """A finished index."""

    folder: Path
    origin: IndexOrigin
    manifest: Manifest

    def __len__(self) -> int:
        """Returns N, the number of pictures that have an embedding."""
        return self.manifest.rows - self.manifest.problems

    def vectors(self) -> NDArray[Any]:
        """Returns the array (N, D), mapped and not read.

        Raises:
            DamagedError: it is missing, or has another size.
        """
        path, shape = self.folder / ARRAY_FILE, (len(self), self.origin.dimensions)
        try:
            # Copied when it is written to, which it never is: torch refuses a read-only array.
            array: NDArray[Any] = np.load(path, mmap_mode="c")
        except (OSError, EOFError, ValueError) as error:
            raise DamagedError(f"{path} is damaged ({error}); {self.again()}") from error
        if array.shape != shape or array.dtype != self.origin.numbers:
            what = f"{path} has {array.shape} {array.dtype}, not {shape} {self.origin.numbers}"
            raise DamagedError(f"{what}; {self.again()}")
        return array

    def pictures_at(self, positions: Collection[int]) -> dict[int, tuple[str, str]]:
        """Returns image id and path of the pictures at some rows of the array.

        Raises:
            DamagedError: a shard is missing, or has other rows.
        """
        import pyarrow.dataset as pads  # takes twice as long as pyarrow itself

        shards = sorted(self.origin.rows().own(self.manifest.records))
        places = sorted(positions)
        try:
            rows = pads.dataset([str(self.folder / name) for name in shards])
            count = rows.count_rows()
            found = rows.take(pa.array(places), columns=["image_id", "path"])
        except (OSError, pa.ArrowException) as error:
            raise DamagedError(f"{self.folder} is damaged ({error}); {self.again()}") from error
        if count != len(self):
            what = f"{self.folder} has {count:,} rows for {len(self):,} embeddings"
            raise DamagedError(f"{what}; {self.again()}")
        names = zip(*(column.to_pylist() for column in found.columns), strict=True)
        return dict(zip(places, names, strict=True))

    def again(self) -> str:
        """Returns the command that makes the index again in the same way."""
        origin = self.origin
        words = ["--split", origin.split, "--root"] if origin.split else ["--images"]
        words += [origin.source, "--run", origin.run, "--out", str(self.folder)]
        words += ["--precision", origin.precision]
        return f"run `hgld index {shlex.join(words)}`"


def read_embedded_index(folder: Path) -> EmbeddedIndex:
    """Reads what an index is, without its embeddings.

    Raises:
        MissingInputError: there is no index (yet).
        DamagedError: its manifest is damaged, or a run was killed while it replaced the index.
        InputError: a later version of this program wrote it.
    """
    workspace = Workspace(folder)
    path = workspace.manifest_path(INDEX_STAGE)
    if not path.is_file():
        state = "holds no (finished) index" if folder.is_dir() else "does not exist"
        raise MissingInputError(
            f"{folder} {state}; `hgld index --images FOLDER --out {folder}` makes an index of the "
            f"pictures of a folder, and `--split index` instead of --images one of a build's"
        )
    mend = "run the `hgld index` that made it again"
    if manifest_beside(workspace, INDEX_STAGE).exists():
        raise DamagedError(f"{path} is about to be replaced by a run that was stopped; {mend}")
    try:
        manifest = load_manifest(path)
    except DamagedError as error:
        raise DamagedError(f"{error}; {mend}") from error
    return EmbeddedIndex(folder, IndexOrigin(**manifest.settings), manifest)  # type: ignore[arg-type]  # sealed


def embedded_index_damages(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yields the files of an index that changed since they were written, and how.

    Raises:
        MissingInputError: there is no index.
        DamagedError: its manifest is damaged.
    """
    index = read_embedded_index(folder)
    manifest = index.manifest
    for name, what in Workspace(folder).damages(manifest.records, manifest.patterns):
        yield folder / name, f"{what}; {index.again()}"


def run_folder(workspace: Workspace, run: str) -> Path:
    """Returns the folder of a run: the one of this name in the build, or another folder or file.

    Raises:
        MissingInputError: there is none; the message names those of the build.
    """
    own = workspace.path(f"runs/{run}")
    if own.exists():
        return own
    if Path(run).exists():
        return Path(run)
    there = sorted(path.name for path in workspace.path("runs").glob("*") if path.is_dir())
    runs = f"runs there: {', '.join(there)}" if there else "there is no run yet"
    mend = f"name a run with --run, or make one with {workspace.command('train')}"
    raise MissingInputError(f"{own} does not exist ({runs}); {mend}")


def default_index(run: Path, source: PictureSource) -> Path:
    """Returns the folder of an index for which no other is named: one beside the model.

    Example:
        >>> default_index(Path("build/runs/happier"), PictureSource(folder=Path("/my/photos")))
        PosixPath('build/runs/happier/index-photos')
    """
    folder = run if run.is_dir() or not run.suffix else run.parent
    return folder / f"{_PREFIX}{source.split or source.folder.name}"


def only_index(workspace: Workspace, run: str) -> Path:
    """Returns the only index beside the model of a run.

    Raises:
        MissingInputError: there is none; the message says what makes one.
        InputError: there are several; the message names them.
    """
    own = workspace.path(f"runs/{run}")
    folder = own if own.exists() else Path(run)
    folder = folder if folder.is_dir() else folder.parent
    found = sorted(path.parents[1] for path in folder.glob(f"{_PREFIX}*/stages/{INDEX_STAGE}.json"))
    if not found:
        raise MissingInputError(
            f"{own} has no index to search, and --index names none; "
            f"{workspace.command('index --split index')} makes one of the build's index "
            f"images, and `hgld index --images FOLDER` one of the pictures of a folder"
        )
    if len(found) > 1:
        listed = ", ".join(map(str, found))
        raise InputError(f"{own} has several indexes; name one with --index: {listed}")
    return found[0]
