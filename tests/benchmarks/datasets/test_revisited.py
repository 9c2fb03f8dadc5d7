import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hgld.benchmarks.datasets.retrieval_data import read_data_set
from hgld.benchmarks.datasets.revisited import read_revisited
from hgld.errors import InputError
from hgld.metrics import GroundTruth
from tests.benchmarks.datasets.worlds import ground_truth, write_revisited
from tests.training.conftest import Payload


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_arrays_of_numpy_are_read_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    content: dict[str, Any] = ground_truth()
    content["gnd"][0] |= {"bbx": np.array([1.0, 2, 3, 4]), "easy": np.array([0, 2])}
    content["gnd"][0] |= {"hard": [np.int64(3)], "junk": np.array([], np.int64)}
    content["imlist"] = np.array(content["imlist"])
    pickled = pickle.dumps(content, protocol)
    if protocol < 4:  # as numpy 1 wrote it
        assert b"numpy._core." in pickled
        pickled = pickled.replace(b"numpy._core.", b"numpy.core.")
    (tmp_path / "gnd_rparis6k.pkl").write_bytes(pickled)
    data = read_data_set("rparis6k", tmp_path)
    assert (data.levels, len(data.train)) == ((), 0)
    assert data.truths[0] == GroundTruth(easy=(0, 2), hard=(3,), junk=())
    assert data.boxes == ((1.0, 2.0, 3.0, 4.0), (0.0, 0.0, 10.5, 20.5))
    assert data.queries["path"][0].as_py() == "jpg/all_souls_000013.jpg"
    assert data.index["image_id"].to_pylist() == [f"oxford_{one:06d}" for one in range(5)]


@pytest.mark.parametrize(
    ("call", "argument"), [(os.system, "touch {}"), (exec, "open('{}', 'w').close()"), (Path, "{}")]
)
def test_a_pickle_that_calls_something_is_refused_and_calls_nothing(
    tmp_path: Path, call: Callable[[str], object], argument: str
) -> None:
    mark = tmp_path / "mark"
    payload = Payload(argument.format(mark), call)
    write_revisited(tmp_path, ground_truth() | {"more": payload})
    with pytest.raises(InputError, match="plain"):
        read_revisited(tmp_path, "roxford5k")
    assert not mark.exists()
    pickle.loads(pickle.dumps(payload))  # noqa: S301 - it is ours: it would have worked
    assert mark.exists() == (call is not Path)


def changed(query: int, **values: object) -> dict[str, Any]:
    content: dict[str, Any] = ground_truth()
    content["gnd"][query] |= values
    return content


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([1], "official"),
        ({"imlist": ["a"], "gnd": []}, "qimlist"),
        (ground_truth() | {"imlist": []}, "images"),
        (ground_truth() | {"imlist": ["a", "a"]}, "image a"),
        (ground_truth() | {"gnd": []}, "official"),
        (changed(0, easy=[3]), "all_souls_000013"),  # which is hard too
        (changed(1, hard=[5]), "ashmolean_000058"),
        (changed(1, bbx=[1, 2, 3]), "ashmolean_000058"),
        (changed(1, bbx=[5, 2, 3, 4]), "box"),
    ],
)
def test_broken_ground_truth_is_one_error(tmp_path: Path, content: object, says: str) -> None:
    write_revisited(tmp_path, content)
    with pytest.raises(InputError, match=says):
        read_revisited(tmp_path, "roxford5k")


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"<html>404</html>", None])
def test_what_is_no_pickle_or_not_there_is_said(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "gnd_roxford5k.pkl").write_bytes(content)
    with pytest.raises(InputError, match="gnd_roxford5k"):
        read_revisited(tmp_path, "roxford5k")
