"""What the README tells its readers to type, for the tests that type it."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[3] / "README.md"


def section(title: str) -> str:
    """Returns the text under a heading of the second level."""
    text = README.read_text(encoding="utf-8")
    found = re.search(
        rf"^## {re.escape(title)}[^\n]*\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE
    )
    if found is None:
        raise LookupError(f"README.md has no section {title!r}")
    return found.group(1)


def blocks(title: str, language: str) -> list[str]:
    """Returns the fenced blocks of a section in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", section(title), re.DOTALL | re.MULTILINE)


def commands_of(title: str, program: str = "hgld") -> list[str]:
    """Returns the commands of a section that call a program, without comments."""
    lines = [
        line.split("  #")[0].strip()
        for block in blocks(title, "bash")
        for line in block.splitlines()
    ]
    return [line for line in lines if line.split()[:1] == [program]]
