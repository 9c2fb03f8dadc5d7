"""How fast is our own code, and how fast was it? All questions of speed, one by one.

    python -m hgld.benchmarks.speed
    python -m hgld.benchmarks.speed --only loss evaluation

Each question is a script of this folder, which can be run alone too. It is asked at a small size,
in a process of its own, and against a baseline in the same run; the answer is appended to the
ledger at once. The same command after a stop asks what is not answered yet of this commit on this
machine. What fails is named, and the others are asked nevertheless.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from hgld.benchmarks.speed.suite.asking import ask_question, unasked_entry
from hgld.benchmarks.speed.suite.ledger import append_entry, read_entries
from hgld.benchmarks.speed.suite.page import format_speed_table, render_speed_page
from hgld.benchmarks.speed.suite.questions import QUESTIONS
from hgld.engine.files import write_text
from hgld.errors import HgldError

logger = logging.getLogger(__name__)

LEDGER = Path("benchmarks/results/speed/ledger.jsonl")


def main(arguments: Sequence[str] | None = None) -> int:
    """Asks what is not answered yet, and shows all that is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    names = [question.name for question in QUESTIONS]
    parser.add_argument("--only", nargs="+", choices=names, help="these questions")
    parser.add_argument("--full", action="store_true", help="at the size of GLDv2; takes hours")
    parser.add_argument("--again", action="store_true", help="also what is answered already")
    parser.add_argument("--most-s", type=float, default=900.0, help="time that a question may take")
    parser.add_argument("--ledger", type=Path, default=LEDGER, help="JSON lines to append to")
    parser.add_argument("--page", type=Path, help="HTML file to write of all of the ledger")
    parser.add_argument("--note", default="", help="what else runs on the machine")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    wanted = [one for one in QUESTIONS if options.only is None or one.name in options.only]
    failed = []
    try:
        known, damaged = read_entries(options.ledger)
        if damaged:
            logger.warning("%s: %d lines are no entries, and left alone", options.ledger, damaged)
        for number, question in enumerate(wanted, start=1):
            size = () if options.full else question.small
            now = unasked_entry(question, size)
            if not options.again and any(one.same_as(now) and one.answer for one in known):
                logger.info("%d of %d: %s: answered", number, len(wanted), question.name)
                continue
            logger.info("%d of %d: %s", number, len(wanted), question.name)
            entry = ask_question(question, size, most_s=options.most_s, note=options.note)
            append_entry(options.ledger, entry)
            if entry.failed:
                failed.append(f"{question.name}: {entry.failed}")
                logger.warning("%s", failed[-1])
        entries, _ = read_entries(options.ledger)
        if options.page is not None:
            write_text(options.page, render_speed_page(entries))
    except HgldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    Console().print(format_speed_table(entries, [one.name for one in wanted]))
    sys.stderr.writelines(f"failed: {one}\n" for one in failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
