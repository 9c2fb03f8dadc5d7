"""Plants defects of the kind that hurt, and sees that `make test` catches each of them.

    python -m tests.defects
    python -m tests.defects --only redirect token

Each is planted in a copy of this checkout, where the tests run until the first one fails. It prints
the test that caught it, and ends with status 1 where none did.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Defect:
    """A change of the code that is wrong."""

    what: str
    file: str
    code: str
    """What stands there, once."""
    planted: str
    """What stands there instead."""


DEFECTS = {
    "vote": Defect(
        "a vote lost in the rule",
        "hgld/annotations/rule.py",
        'votes = pc.if_else(has_vote, groups["count_all"], 0)',
        'votes = pc.if_else(has_vote, pc.min_element_wise(groups["count_all"], 1), 0)',
    ),
    "shard": Defect(
        "a shard left out",
        "hgld/engine/workspace.py",
        "for path in self.shards(dataset)]\n        return pa.concat_tables(shards)",
        "for path in self.shards(dataset)[:2]]\n        return pa.concat_tables(shards)",
    ),
    "undo": Defect(
        "an undo that skips one event",
        "hgld/review/log/history.py",
        "active.difference_update(event.off)",
        "active.difference_update(event.off[1:] or event.off)",
    ),
    "redirect": Defect(
        "a redirect not followed",
        "hgld/scrape/wikimedia/commons.py",
        'renames.update({_title(entry, "from"): _title(entry, "to") for entry in redirects})',
        'renames.update({_title(entry, "from"): _title(entry, "from") for entry in redirects})',
    ),
    "nan": Defect(
        "a NaN counted as 0",
        "hgld/metrics/evaluation.py",
        "float(values.nanmean())",
        "float(values.nan_to_num().mean())",
    ),
    "resume": Defect(
        "a resume that skips a batch",
        "training/data/images.py",
        "first, done = divmod(start, len(order))",
        "first, done = divmod(start + (start > 0), len(order))",
    ),
    "wait": Defect(
        "a 429 without wait",
        "hgld/http/patience.py",
        "self._wait(why, wait_s)\n        return True",
        "self._tries += 1\n        return True",
    ),
    "merge": Defect(
        "a merge that reverts",
        "hgld/review/applying.py",
        "if _content(one.change) in (_content(one.base), _content(theirs)):",
        "if _content(one.change) == _content(theirs):",
    ),
    "rank": Defect(
        "an off-by-one in ranks",
        "hgld/metrics/ranked.py",
        "torch.arange(1, ranked.shape[1] + 1,",
        "torch.arange(0, ranked.shape[1],",
    ),
    "token": Defect(
        "a token not checked",
        "hgld/pages/serving/security.py",
        'if not _is_same(headers.get(TOKEN_HEADER, ""), self.token):',
        'if not headers.get(TOKEN_HEADER, ""):',
    ),
}


def plant(defect: Defect, checkout: Path) -> None:
    """Plants a defect.

    Raises:
        LookupError: the code is no longer what it was; write the defect anew.
    """
    path = checkout / defect.file
    text = path.read_text(encoding="utf-8")
    if text.count(defect.code) != 1:
        raise LookupError(f"{defect.file} must have {defect.code!r} once; plant it anew")
    path.write_text(text.replace(defect.code, defect.planted), encoding="utf-8")


def caught_by(defect: Defect, folder: Path) -> str:
    """Runs the tests of a copy with a defect; returns the first that failed, or nothing."""
    checkout = folder / "checkout"
    subprocess.run(["git", "clone", "-q", "--shared", ROOT, checkout], check=True)
    if (ROOT.parent / "shared").is_dir() and not (folder / "shared").exists():
        (folder / "shared").symlink_to(ROOT.parent / "shared")
    plant(defect, checkout)
    # The environment's `hgld` is that of this checkout; the copy comes before it.
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    # `load` hands out few tests at a time, so that -x ends it soon.
    others = (f"--ignore=tests/{name}" for name in ("servers", "soak", "test_defects.py"))
    lane = ["-n", "auto", "--dist", "load", *others]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", *lane],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
    )
    failed = re.search(r"^(?:FAILED|ERROR) (.+)", done.stdout, re.MULTILINE)
    if done.returncode == 0:
        return ""
    return failed[1] if failed else done.stdout[-2000:] + done.stderr


def main(arguments: Sequence[str] | None = None) -> int:
    """Plants the defects one after the other; returns 1 where one was not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.defects")
    parser.add_argument("--only", nargs="*", choices=DEFECTS, default=list(DEFECTS))
    options = parser.parse_args(arguments)
    missed = 0
    for name in options.only:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="hgld-defect-") as folder:
            test = caught_by(DEFECTS[name], Path(folder))
        missed += not test
        took_s = time.monotonic() - started
        print(f"{DEFECTS[name].what}: {test or 'NOT CAUGHT'} ({took_s:.0f} s)", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
