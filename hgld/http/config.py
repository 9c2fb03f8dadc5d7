"""Settings of the requests to Wikimedia: how often, and as whom."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hgld.engine.config import Settings, setting
from hgld.errors import InputError, needing
from hgld.http.session import is_on_this_machine

_PACE = 60
_KEYRING = "keyring:"
_SERVICE = "hgld"
"""The name under which a keyring has tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig(Settings):
    """How Wikimedia is asked; what its servers answer rules nevertheless (429, Retry-After)."""

    requests_per_minute: int | None = setting(
        None,
        f"Most requests a minute to each server, evenly spread; 0: as fast as it answers. none: "
        f"{_PACE}, well below what Wikimedia lets clients do that say who they are, and as fast as "
        f"it answers on this machine.",
        changes_rows=False,
        least=0,
        most=60_000,
    )
    token: str = setting(
        "",
        f"OAuth 2.0 access token for Commons, such as an owner-only one: the path of a file with "
        f"it, or {_KEYRING}NAME for that of NAME in the keyring.",
        changes_rows=False,
    )

    def pace(self, address: str) -> int:
        """Returns the most requests a minute to the server of an address; 0: any number."""
        if self.requests_per_minute is not None:
            return self.requests_per_minute
        return 0 if is_on_this_machine(address) else _PACE

    def read_token(self, address: str) -> str:
        """Returns the token to send to an address; empty: none.

        Raises:
            InputError: it cannot be read, is no token, or would be sent unencrypted.
        """
        if not self.token:
            return ""
        if urlsplit(address).scheme != "https" and not is_on_this_machine(address):
            raise InputError("token is only sent over https; give the address of Commons with it")
        found = _of_keyring(self.token) if self.token.startswith(_KEYRING) else _of_file(self.token)
        token = found.strip()
        # The message does not repeat it: a token must not get into errors or logs.
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise InputError(f"token must be one word of ASCII, and that of {self.token} is not")
        return token


def _of_file(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"token cannot be read from {path}: {why}") from error


def _of_keyring(token: str) -> str:
    with needing("keyring", token):
        import keyring
        from keyring.errors import KeyringError
    name = token.removeprefix(_KEYRING)
    try:
        found = keyring.get_password(_SERVICE, name)
    except KeyringError as error:
        raise InputError(f"token cannot be read from the keyring: {error}") from error
    if found is None:
        raise InputError(
            f"the keyring has no token {name!r}; save it with `keyring set {_SERVICE} {name}`"
        )
    return found
