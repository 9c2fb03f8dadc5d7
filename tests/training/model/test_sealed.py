from pathlib import Path

import pytest
import torch

from hgld.errors import HgldError
from hgld.training.model.sealed import load_sealed, save_sealed


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_what_is_saved_is_read_by_torch_and_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    content = {"step": 3, "weights": [torch.arange(5.0)], "name": "a"}
    for name in ("one.pt", "another name.pt"):
        save_sealed(content, tmp_path / name)
        for found in (load_sealed(tmp_path / name), torch.load(tmp_path / name)):
            assert found["step"] == 3
            assert torch.equal(found["weights"][0], torch.arange(5.0))
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "another name.pt").read_bytes()


def test_every_bit_of_the_digest_and_of_what_surrounds_it_counts(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    save_sealed({"x": torch.ones(3)}, path)
    whole = path.read_bytes()
    for bit in (*range(0, 64, 7), *range(8 * (len(whole) - 100), 8 * len(whole), 5)):
        path.write_bytes(flipped(whole, bit))
        with pytest.raises(HgldError, match=r"x\.pt"):
            load_sealed(path)
