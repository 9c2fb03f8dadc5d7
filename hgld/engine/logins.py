"""Logins in addresses (`https://user:password@host/`): used for requests, never shown."""

import re
from urllib.parse import unquote, urlsplit

# The text between `://` and the last `@` of the host part; also a password with a raw slash, which
# parsers do not see as one but an error would show.
_LOGIN = re.compile(r"(?<=://)(?:[^/?#\s]*@|[^/?#\s@:\[]*:(?!\d*(?:[/?#\s]|$))\S*@)")


def redacted(text: str) -> str:
    """Returns a text without the user names and passwords in its addresses.

    Example:
        >>> redacted("cannot reach https://ann:secret@example.org/w/: no such host")
        'cannot reach https://example.org/w/: no such host'
    """
    return _LOGIN.sub("", text)


def login_of(url: str) -> tuple[str, str] | None:
    """Returns the user name and the password in an address, or None.

    Example:
        >>> login_of("https://ann:p%40ss@example.org/")
        ('ann', 'p@ss')
    """
    parts = urlsplit(url)
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")
