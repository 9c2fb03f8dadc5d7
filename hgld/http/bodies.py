"""The body of an answer: read whole, unpacked as it comes, and never more than a limit.

A server may send ten bytes for each thousand that they unpack to. urllib3 (2.6 and later) unpacks
no more than is asked for, and reading ends where the limit is passed. We ask for gzip only; what
comes in another encoding, or in several, is refused.
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
"""The only encoding of an answer that a session asks for."""


def announced_bytes(headers: Mapping[str, str]) -> int | None:
    """Returns the Content-Length of an answer, None where it has none that can be.

    Example:
        >>> announced_bytes({"Content-Length": "12"}), announced_bytes({"Content-Length": "-1"})
        (12, None)
    """
    length = headers.get("Content-Length", "").strip()
    return int(length) if _LENGTH.fullmatch(length) else None


def read_body(response: requests.Response, most_bytes: int) -> None:
    """Reads a whole answer.

    Args:
        response: a streamed one; afterwards it holds its content.
        most_bytes: of the body, packed and unpacked.

    Raises:
        AnswerError: it is larger, packed in a way that was not asked for, or the whole of a file of
            which a part was asked for: it would come the same way again.
        requests.RequestException: it broke off, came too slowly, or cannot be unpacked.
    """
    raw, request, url = response.raw, response.request, redacted(str(response.url))
    encoding = response.headers.get("Content-Encoding", "").lower()
    body = bytearray()
    size = announced_bytes(response.headers) or 0
    try:
        if encoding not in {"", "identity", ENCODING, f"x-{ENCODING}"}:
            raise AnswerError(f"{url} answers packed with {encoding!r:.40}, not with {ENCODING}")
        if "Range" in request.headers and response.status_code == HTTPStatus.OK:
            raise AnswerError(f"{url} comes as a whole, whatever part is asked for")
        while size <= most_bytes and (piece := raw.read1(_PIECE_BYTES, decode_content=True)):
            body += piece
            # Packed, too: empty members of gzip without end unpack to nothing.
            size = max(len(body), raw.tell())
    except urllib3.exceptions.ReadTimeoutError as error:
        why = "the answer was not whole in time"
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
