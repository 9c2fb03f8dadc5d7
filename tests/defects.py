"""Plants defects of the kind that hurt, and sees that `make test` catches each of them.

    python -m tests.defects
    python -m tests.defects --only redirect

Each is planted in a copy of this checkout, where the tests run until the first one fails. It prints
the test that caught it, and ends with status 1 where none did.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Defect(NamedTuple):
    """A change of the code that is wrong."""

    file: str
    code: str
    """What stands there, once."""
    planted: str
    """What stands there instead."""


DEFECTS = {
    "a vote lost in the rule": Defect(
        "hgld/annotations/rule.py",
        'votes = pc.if_else(has_vote, groups["count_all"], 0)',
        'votes = pc.if_else(has_vote, pc.min_element_wise(groups["count_all"], 1), 0)',
    ),
    "a shard left out": Defect(
        "hgld/engine/workspace.py",
        "for path in self.shards(dataset)]\n        return pa.concat_tables(shards)",
        "for path in self.shards(dataset)[:2]]\n        return pa.concat_tables(shards)",
    ),
    "an undo that skips one event": Defect(
        "hgld/review/log/history.py",
        "active.difference_update(event.off)",
        "active.difference_update(event.off[1:] or event.off)",
    ),
    "a redirect not followed": Defect(
        "hgld/scrape/wikimedia/commons.py",
        'renames.update({_title(entry, "from"): _title(entry, "to") for entry in redirects})',
        'renames.update({_title(entry, "from"): _title(entry, "from") for entry in redirects})',
    ),
    "a NaN counted as 0": Defect(
        "hgld/metrics/evaluation.py", "float(values.nanmean())", "float(values.nan_to_num().mean())"
    ),
    "a resume that skips a batch": Defect(
        "training/data/images.py",
        "first, done = divmod(start, len(order))",
        "first, done = divmod(start + (start > 0), len(order))",
    ),
    "a 429 without wait": Defect(
        "hgld/http/patience.py",
        "self._wait(why, wait_s)\n        return True",
        "self._tries += 1\n        return True",
    ),
    "a merge that reverts": Defect(
        "hgld/review/applying.py",
        "if _content(one.change) in (_content(one.base), _content(theirs)):",
        "if _content(one.change) == _content(theirs):",
    ),
    "an off-by-one in ranks": Defect(
        "hgld/metrics/ranked.py",
        "torch.arange(1, ranked.shape[1] + 1,",
        "torch.arange(0, ranked.shape[1],",
    ),
    "a token not checked": Defect(
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


def main() -> int:
    """Plants the defects one after the other; returns 1 where one was not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.defects")
    parser.add_argument("--only", default="", help="those whose name has this")
    only, missed = parser.parse_args().only, 0
    for name, defect in DEFECTS.items():
        if only in name:
            with tempfile.TemporaryDirectory(prefix="hgld-defect-") as folder:
                test = caught_by(defect, Path(folder))
            missed += not test
            print(f"{name}: {test or 'NOT CAUGHT'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
