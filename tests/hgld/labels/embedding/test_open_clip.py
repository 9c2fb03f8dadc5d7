import random
import socket
from pathlib import Path
from typing import Any

import pytest

from hgld.errors import FetchError, InputError
from hgld.labels.embedding.weights import load_open_clip
from tests.worlds.tiny_clip import TINY

open_clip = pytest.importorskip("open_clip", reason="needs `pip install 'hgld[cluster]'`")
torch = pytest.importorskip("torch", reason="needs `pip install 'hgld[cluster]'`")


@pytest.mark.parametrize(
    ("model", "weights", "word"),
    [
        ("ViT-L-15", "laion2b_s32b_b82k", "ViT-L-15"),
        ("ViT-L-14", "no/such/file.pt", "laion2b_s32b_b82k"),  # the tags there are
        ("ViT-L-14", "openai", "quickgelu"),
    ],
)
def test_a_model_or_weights_that_there_are_not_are_refused(
    model: str, weights: str, word: str
) -> None:
    with pytest.raises(InputError, match=word):
        load_open_clip(model, weights)


@pytest.mark.usefixtures("tiny_weights")
def test_weights_of_another_model_and_a_file_of_none_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2, 2)}, tmp_path / "other.pt")
    (tmp_path / "page.pt").write_text("<html>not found</html>", encoding="utf-8")
    for name in ("other.pt", "page.pt"):
        with pytest.raises(InputError, match=name):
            load_open_clip(TINY, str(tmp_path / name))


@pytest.mark.fault(62, "damaged encoder weights")
def test_damaged_weights_are_one_line_or_load_and_never_a_traceback(
    tiny_weights: Path, tmp_path: Path
) -> None:
    """A flipped bit of a number loads: it is other weights, which have another digest."""
    chance = random.Random(3)
    good = tiny_weights.read_bytes()
    path = tmp_path / "damaged.pt"
    refused = []
    for number in range(6):
        data = bytearray(good)
        match number % 3:
            case 0:
                del data[chance.randrange(len(data)) :]
            case 1:  # the head and the directory at the end say what is where
                at = chance.choice([chance.randrange(3000), -chance.randrange(1, 3000)])
                data[at] ^= 1 << chance.randrange(8)
            case _:
                at = chance.randrange(len(data) // 2)
                data[at : at + 100_000] = bytes(100_000)
        path.write_bytes(data)
        assert data != good
        try:
            load_open_clip(TINY, str(path))
        except InputError as error:
            refused.append(str(error))
    assert len(refused) >= 2
    assert all("\n" not in text and "damaged.pt" in text for text in refused)


def test_a_hub_that_nobody_answers_for_is_not_asked_for_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as listener:  # bound, and then nobody's
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    asked: list[Any] = []
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("open_clip.download_pretrained", asked.append)
    with pytest.raises(FetchError, match="minilm"):
        load_open_clip("ViT-L-14", "laion2b_s32b_b82k")
    # Nor where HF_HUB_OFFLINE=1 says so, with an empty cache.
    monkeypatch.undo()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FetchError, match="minilm"):
        load_open_clip("ViT-L-14", "laion2b_s32b_b82k")
    assert not asked


def test_what_the_hub_has_given_before_is_taken_without_asking_for_it(
    tmp_path: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"hf_hub": "owner/tiny/"}
    monkeypatch.setattr("open_clip.get_pretrained_cfg", lambda *_: known)
    monkeypatch.setattr("open_clip.download_pretrained", lambda _: str(tiny_weights))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FetchError):
        load_open_clip(TINY, "tag")
    (tmp_path / "models--owner--tiny").mkdir()
    assert load_open_clip(TINY, "tag").encode(["lake"]).shape == (1, 64)


def test_a_tokenizer_that_is_not_here_names_the_offline_encoder(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: str) -> None:
        raise OSError("no connection")

    monkeypatch.setattr("open_clip.get_tokenizer", gone)
    with pytest.raises(FetchError, match="minilm"):
        load_open_clip(TINY, str(tiny_weights))
