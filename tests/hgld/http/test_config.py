"""How often Wikimedia is asked, and with which token."""

import sys
import types
from pathlib import Path

import pytest

from hgld.errors import InputError
from hgld.http.config import HttpConfig

COMMONS, HERE = "https://commons.wikimedia.org/w/", "http://127.0.0.1:8090/w/"
WORD = "eyJ0eXAi.abc-_def"


def test_another_machine_has_a_pace_by_itself_and_any_has_the_one_that_is_set() -> None:
    assert HttpConfig().pace(COMMONS) > HttpConfig().pace(HERE) == 0
    assert HttpConfig(requests_per_minute=7).pace(HERE) == 7
    assert HttpConfig(requests_per_minute=0).pace(COMMONS) == 0


def test_a_token_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{WORD}\n")
    assert HttpConfig(token=str(path)).read_token(COMMONS) == WORD
    assert HttpConfig().read_token(COMMONS) == ""
    with pytest.raises(InputError, match="https"):
        HttpConfig(token=str(path)).read_token("http://commons.wikimedia.org/w/")


@pytest.mark.parametrize("content", ["", "two words", "a\nb", "gehe\u00efm"])
def test_what_is_no_token_is_refused_and_not_repeated(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="one word") as caught:
        HttpConfig(token=str(path)).read_token(HERE)
    assert not content or content not in str(caught.value)
    with pytest.raises(InputError, match="gone"):
        HttpConfig(token=str(tmp_path / "gone")).read_token(HERE)


def test_a_token_is_read_from_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    class KeyringError(Exception):
        pass

    saved = {("hgld", "ann"): WORD}

    def get_password(service: str, name: str) -> str | None:
        if name == "locked":
            raise KeyringError("it is locked")
        return saved.get((service, name))

    keyring = types.SimpleNamespace(get_password=get_password)
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    errors = types.SimpleNamespace(KeyringError=KeyringError)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    ann = "keyring:ann"
    named = HttpConfig(token=ann)
    assert named.read_token(COMMONS) == WORD
    for name, word in (("bob", "keyring set"), ("locked", "locked")):
        with pytest.raises(InputError, match=word):
            HttpConfig(token=f"keyring:{name}").read_token(COMMONS)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(InputError, match="pip install"):
        named.read_token(COMMONS)
