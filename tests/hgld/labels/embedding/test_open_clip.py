import json
import random
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hgld.errors import FetchError, InputError
from hgld.labels.embedding.weights import load_open_clip, weights_of
from tests.worlds.tiny_clip import TINY, tiny_config

open_clip = pytest.importorskip("open_clip", reason="needs `pip install 'hgld[cluster]'`")
torch = pytest.importorskip("torch", reason="needs `pip install 'hgld[cluster]'`")


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(InputError, match="ViT-L-15"):
        load_open_clip("ViT-L-15", "laion2b_s32b_b82k")


def test_weights_that_are_neither_a_file_nor_a_tag_are_refused_with_the_tags_there_are() -> None:
    with pytest.raises(InputError, match="laion2b_s32b_b82k"):
        load_open_clip("ViT-L-14", "no/such/file.pt")


def test_openai_weights_ask_for_the_model_with_their_activation() -> None:
    with pytest.raises(InputError, match="quickgelu"):
        load_open_clip("ViT-L-14", "openai")


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


def test_an_unreachable_hub_names_the_offline_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What HF_HUB_OFFLINE=1 sets in the hub's client, with an empty cache.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FetchError, match="minilm"):
        load_open_clip("ViT-L-14", "laion2b_s32b_b82k")


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


@pytest.fixture
def model_folder(tmp_path: Path, tiny_weights: Path) -> Path:
    folder = tmp_path / "my model"
    folder.mkdir()
    config = {"model_cfg": tiny_config(), "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    state = torch.load(tiny_weights, weights_only=True)
    torch.save(state, folder / "open_clip_pytorch_model.bin")
    return folder


def test_a_model_in_a_folder_of_its_own_gives_the_vectors_of_its_weights(
    model_folder: Path, tiny_weights: Path
) -> None:
    texts = ["lake", "old church"]
    vectors = load_open_clip(f"local-dir:{model_folder}", "no account").encode(texts)
    expected = load_open_clip(TINY, str(tiny_weights)).encode(texts)
    np.testing.assert_array_equal(vectors, expected)


def test_every_file_of_a_model_folder_counts_and_its_place_does_not(
    model_folder: Path, tmp_path: Path
) -> None:
    first = weights_of(model_folder)
    moved = tmp_path / "moved"
    shutil.copytree(model_folder, moved)
    assert weights_of(moved) == first
    with (moved / "open_clip_config.json").open("a") as file:
        file.write("\n")
    assert weights_of(moved) != first


def test_a_model_folder_without_weights_or_config_is_refused(model_folder: Path) -> None:
    config = model_folder / "open_clip_config.json"
    config.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="my model"):
        load_open_clip(f"local-dir:{model_folder}", "")
    config.unlink()
    with pytest.raises(InputError, match="open_clip_config"):
        weights_of(model_folder)
    with pytest.raises(InputError, match="gone"):
        weights_of(model_folder / "gone")


@pytest.mark.fault(62, "damaged encoder weights")
@pytest.mark.parametrize(
    ("vision", "pixels", "word"),
    [
        ({"image_size": 10**9}, {}, "image_size"),
        ({"image_size": [32, 10**9]}, {}, "image_size"),
        ({}, {"size": 10**9}, "image_size"),
        ({"image_size": 0}, {}, "image_size"),
        ({"image_size": "large"}, {}, "settings"),
        ({}, {"mean": [0.5, float("nan"), 0.5]}, "mean"),
        ({}, {"std": [0.5, 0.5, 0]}, "std"),
    ],
)
def test_settings_of_a_model_that_no_picture_could_have_are_refused_before_it_is_made(
    model_folder: Path,
    vision: dict[str, Any],
    pixels: dict[str, Any],
    word: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = {"model_cfg": tiny_config(), "preprocess_cfg": pixels}
    config["model_cfg"]["vision_cfg"] |= vision
    (model_folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    monkeypatch.delattr("open_clip.create_model")
    with pytest.raises(InputError, match=word):
        load_open_clip(f"local-dir:{model_folder}", "")


def test_a_tokenizer_that_is_not_here_names_the_offline_encoder(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: str) -> None:
        raise OSError("no connection")

    monkeypatch.setattr("open_clip.get_tokenizer", gone)
    with pytest.raises(FetchError, match="minilm"):
        load_open_clip(TINY, str(tiny_weights))
