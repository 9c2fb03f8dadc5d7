import json
from pathlib import Path

import pytest

from hgld.benchmarks.speed.labels.fills import made_up_names, main


def test_names_are_made_up_once_each_with_a_side_and_the_same_for_a_seed() -> None:
    names = made_up_names(500, seed=3)
    assert len({name for name, _, _ in names}) == 500
    assert {side for _, _, side in names} == {"natural", "human-made"}
    assert names == made_up_names(500, seed=3)
    assert names != made_up_names(500, seed=4)


def test_both_ways_are_measured_and_what_is_over_a_bar_is_told(tmp_path: Path) -> None:
    out = tmp_path / "fills.json"
    main(["--out", str(out), "--names", "300", "--known", "150"])
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["results"]["fill"]["wall_s"] > 0
    assert report["results"]["baseline"]["peak_mb"] > 0
    assert (report["metadata"]["names"], report["metadata"]["known"]) == (300, 150)
    assert report["bars"]["fill_s"]["at_most"] == 300
    with pytest.raises(SystemExit):
        main(["--out", str(out), "--names", "10", "--known", "11"])
