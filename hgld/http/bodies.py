"""Reads the whole body of a response, decompressed on the fly, up to a limit.

Ten compressed bytes may expand to a thousand. urllib3 (2.6 and later) decompresses no more than is
asked for, and reading stops at the limit. We only ask for gzip; a response in another encoding, or
in several, is refused.
"""

import io
import re
from collections.abc import Mapping
from http import HTTPStatus

import requests
import urllib3

from hgld.engine.logins import redacted
from hgld.errors import AnswerError

_PIECE_BYTES = 1 << 16
_LENGTH = re.compile(r"[0-9]{1,18}")  # Python refuses numbers of thousands of digits

ENCODING = "gzip"
"""The only content encoding that a session accepts."""


def announced_bytes(headers: Mapping[str, str]) -> int | None:
    """Returns the Content-Length of a response, or None if it is missing or invalid.

    Example:
        >>> announced_bytes({"Content-Length": "12"}), announced_bytes({"Content-Length": "-1"})
        (12, None)
    """
    length = headers.get("Content-Length", "").strip()
    return int(length) if _LENGTH.fullmatch(length) else None


def read_body(response: requests.Response, most_bytes: int) -> None:
    """Reads a whole response.

    Args:
        response: a streamed response, which then has its content.
        most_bytes: limit of the body, both compressed and decompressed.

    Raises:
        AnswerError: it is larger, has another encoding, or is a whole file although a part was
            asked for; a retry would get the same.
        requests.RequestException: it broke off, was too slow, or cannot be decompressed.
    """
    raw, request, url = response.raw, response.request, redacted(str(response.url))
    encoding = response.headers.get("Content-Encoding", "").lower()
    body = bytearray()
    size = announced_bytes(response.headers) or 0
    try:
        if encoding not in {"", "identity", ENCODING, f"x-{ENCODING}"}:
            raise AnswerError(f"{url} answers with encoding {encoding!r:.40}, not {ENCODING}")
        if "Range" in request.headers and response.status_code == HTTPStatus.OK:
            raise AnswerError(f"{url} ignores ranges and sends the whole file")
        while size <= most_bytes and (piece := raw.read1(_PIECE_BYTES, decode_content=True)):
            body += piece
            # Compressed size too: endless empty gzip members decompress to nothing.
            size = max(len(body), raw.tell())
    except urllib3.exceptions.ReadTimeoutError as error:
        why = "the answer was not complete in time"
        raise requests.exceptions.ReadTimeout(why, request=request) from error
    except urllib3.exceptions.DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error, request=request) from error
    except urllib3.exceptions.HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error, request=request) from error
    finally:
        raw.release_conn() if raw.isclosed() else raw.close()
    if max(size, raw.tell()) > most_bytes:
        what = f"{url} answers with more than {most_bytes:,} bytes (answer_bytes)"
        raise AnswerError(what, smaller_may_do=True)
    response.raw = io.BytesIO(bytes(body))
