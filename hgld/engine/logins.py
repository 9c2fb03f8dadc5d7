"""Logins in addresses (`https://user:password@host/`): used for the request, and shown nowhere."""

import re
from urllib.parse import unquote, urlsplit

# What stands between `://` and the last `@` of the host's part; and a password with a raw slash,
# which no parser takes for one, where an error would show it.
_LOGIN = re.compile(r"(?<=://)(?:[^/?#\s]*@|[^/?#\s@:\[]*:(?!\d*(?:[/?#\s]|$))\S*@)")


def redacted(text: str) -> str:
    """Returns a text without the user names and passwords of the addresses in it.

    Example:
        >>> redacted("cannot reach https://ann:secret@example.org/w/: no such host")
        'cannot reach https://example.org/w/: no such host'
    """
    return _LOGIN.sub("", text)


def login_of(url: str) -> tuple[str, str] | None:
    """Returns the user name and the password that an address carries; None where it has none.

    Example:
        >>> login_of("https://ann:p%40ss@example.org/")
        ('ann', 'p@ss')
    """
    parts = urlsplit(url)
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")
