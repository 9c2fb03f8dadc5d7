"""The table for papers is set by a real LaTeX."""

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from hgld.benchmarks.retrieval.results import to_latex
from tests.benchmarks.retrieval.made_up import changed, results_of
from tests.benchmarks.retrieval.test_report import SPECIAL


def test_latex_sets_the_table(tmp_path: Path) -> None:
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("needs pdflatex: apt-get install texlive-latex-base texlive-latex-recommended")
    tied = changed(results_of(SPECIAL), lambda row: dataclasses.replace(row, holm_p_value=0.3))
    before = "\n".join([r"\documentclass{article}\usepackage{booktabs}", r"\begin{document}"])
    page = "\n".join([before, to_latex(tied), r"\end{document}"])
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    done = subprocess.run(
        [program, "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "page.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1000:]
