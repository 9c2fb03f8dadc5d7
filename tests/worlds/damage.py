"""Ways in which a file is damaged."""

from collections.abc import Callable
from pathlib import Path
from random import Random

Way = Callable[[Path, Random], None]


def flip(path: Path, chance: Random) -> None:
    """Turns one bit over, anywhere in the file."""
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def cut(path: Path, chance: Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def zero(path: Path, chance: Random) -> None:
    path.write_bytes(bytes(chance.choice([0, path.stat().st_size])))


def remove(path: Path, _: Random) -> None:
    path.unlink()


def swap(path: Path, chance: Random) -> None:
    """Gives it what another one has."""
    others = [one for one in path.parent.parent.rglob("*") if one.is_file() and one != path]
    path.write_bytes(chance.choice(sorted(others)).read_bytes())


def copy(path: Path, _: Random) -> None:
    """Leaves a second copy beside it, as a file manager does."""
    stem, dot, suffix = path.name.partition(".")
    path.with_name(f"{stem} (1){dot}{suffix}").write_bytes(path.read_bytes())
