"""What README and the docs tell their readers to type, for the tests that type it."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
README = ROOT / "README.md"


def fenced(page: Path, language: str, section: str = "") -> list[str]:
    """Returns the fenced blocks of a page in one language, or of a section of it."""
    text = page.read_text(encoding="utf-8")
    if section:
        text = text.partition(f"\n## {section}")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def commands(block: str) -> list[str]:
    """Returns the lines of a block without their comments."""
    return [line.split("  #")[0].strip() for line in block.splitlines()]


def commands_on(page: Path, section: str = "") -> list[str]:
    """Returns all that a page, or a section of it, tells its readers to type."""
    return [line for block in fenced(page, "bash", section) for line in commands(block)]
