import functools
import json
from pathlib import Path

import numpy as np
import pytest

from hgld.benchmarks.labels.fills import Names
from hgld.benchmarks.labels.methods import command, parents
from hgld.benchmarks.labels.methods.measuring import (
    AS_FILL,
    heads_read,
    measure_combinations,
    score_words,
)
from hgld.benchmarks.labels.methods.probe import SeenFeatures, probe_votes
from hgld.labels.fills.guessing.lexicon import Lexicon, read_lexicon
from hgld.labels.fills.guessing.subjects import PictureVote
from tests.hgld.labels.fills.worlds import PLACES

SIDES = {"church": "human-made", "lake": "natural"}
LABELS = list(SIDES)


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    read = read_lexicon()
    # Their nouns as names take most of the time, and tell nothing here.
    return Lexicon(reader=read.reader, nouns=read.nouns, examples=[])


@pytest.fixture(scope="module")
def bare() -> Names:
    """Churches and lakes whose names say nothing, and some that have no label."""
    truth = [LABELS[(row // 10 + row) % 2] for row in range(160)] + [""] * 20
    names = [f"{place}{place[::-1]}" for place in (PLACES * 2)[:180]]
    return Names(names=np.array(names), truth=np.array(truth), sides=SIDES)


def test_parents_alone_and_with_words_are_measured_on_the_same_landmarks(
    bare: Names, lexicon: Lexicon
) -> None:
    heads = {"church": "Churches in Bari", "lake": "Lakes in Bari", "": "Bari"}
    parents = [(heads[label],) if row % 4 else () for row, label in enumerate(bare.truth.tolist())]
    found = measure_combinations(bare, score_words(bare, lexicon), lexicon, parents)
    assert list(found) == ["words", "parents", "words+parents", AS_FILL]
    landmarks = [found[name]["landmarks"] for name in found]
    assert landmarks == [120, 120, 120, 160]  # of those with a label and parents; and of all
    assert found["parents"]["all"] == found["words+parents"]["all"] == 100.0
    assert found["words"]["all"] < 75
    # What has no parents is guessed by its words, which say nothing.
    assert found["words"]["all"] < found[AS_FILL]["all"] < 100


def test_votes_are_measured_on_landmarks_with_pictures(bare: Names, lexicon: Lexicon) -> None:
    votes = [
        PictureVote(label, 0.9, 1.0, "") if label and row % 2 == row % 4 else None
        for row, label in enumerate(bare.truth.tolist())
    ]
    words = score_words(bare, lexicon)
    found = measure_combinations(bare, words, lexicon, votes=votes)
    assert list(found) == ["words", "pictures", "words+pictures", AS_FILL]
    assert {each["landmarks"] for each in found.values()} == {80}
    assert found["pictures"]["all"] == 100.0
    parents = [("Bari",)] * 180
    every = measure_combinations(bare, words, lexicon, parents, votes)
    assert len(every) == 8
    assert every["parents"]["all"] < every["parents+pictures"]["all"] == 100.0


def test_a_landmark_is_voted_for_by_a_probe_that_did_not_see_it() -> None:
    draw = np.random.default_rng(0)
    owners = np.repeat(np.arange(40), 3)
    # A landmark's pictures are alike and tell its label; one has those of the other label.
    kinds = np.array([label % 2 for label in range(40)])
    vectors = np.eye(2, 8, dtype=np.float32)[kinds[owners]]
    vectors += draw.normal(0, 0.05, vectors.shape).astype(np.float32)
    features = SeenFeatures(
        keys=[("train", number) for number in range(40)], owners=owners, vectors=vectors
    )
    truth = {place: LABELS[place % 2] for place in range(40)}
    truth[7] = "church"  # though its pictures are those of a lake
    votes = probe_votes(features, truth, SIDES)
    assert votes.keys() == truth.keys()
    assert votes[7].label == "lake"
    assert [votes[place].label for place in range(6)] == LABELS * 3
    assert votes[0].share == 1.0
    assert votes[0].evidence.startswith("church: 3 of 3 pictures")


def test_heads_are_counted_as_they_are_read(lexicon: Lexicon) -> None:
    titles = {"church": ["Churches in Bari", "Lakes in Bari"], "lake": ["Xqzt"]}
    shares = heads_read(titles, lexicon)
    assert shares == {"right": 33.3, "another": 33.3, "nothing": 33.3}


def test_the_command_writes_its_section_and_leaves_the_others(
    labelled: Path,
    tmp_path: Path,
    lexicon: Lexicon,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "read_lexicon", lambda: lexicon)
    monkeypatch.setattr(parents, "known_heads", functools.cache(parents.known_heads))
    out = tmp_path / "fills.json"
    out.write_text('{"results": {"fill": {}}}', encoding="utf-8")
    command.main(["--labelled", str(labelled), "--out", str(out)])
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["results"] == {"fill": {}}
    measured = report[command.SECTION]["parents"]
    assert "made up" in measured["what"]
    assert measured["weak"]["shares"]["wrong"] > measured["strong"]["shares"]["wrong"]
    assert measured["strong"]["words+parents"]["landmarks"] > 60
    assert "pictures" not in report[command.SECTION]
    with pytest.raises(SystemExit):
        command.main(["--labelled", str(labelled), "--of", "pictures", "--out", str(out)])
