"""How answers look: JSON, and for what is refused the problem details of RFC 9457.

Must not know what is answered.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from math import ceil

from aiohttp import web

PROBLEM_TYPE = "application/problem+json"


def json_answer(
    document: object, status: int = HTTPStatus.OK, *, indent: int | None = None, content_type: str = "application/json"
) -> web.Response:
    """`document` as JSON that nobody may store."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(document, indent=indent, separators=separators, ensure_ascii=False)
    # Half a character, which JSON can name and UTF-8 can't hold, is written as JSON names it.
    body = text.encode(errors="backslashreplace")
    headers = {"Cache-Control": "no-store", "Content-Type": f"{content_type}; charset=utf-8"}
    return web.Response(body=body, status=status, headers=headers)


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """A refusal; `detail` is for people and may hold no secret."""
    title = HTTPStatus(status).phrase
    document = {"type": "about:blank", "title": title, "status": int(status), "detail": detail}
    answer = json_answer(document, status, content_type=PROBLEM_TYPE)
    answer.headers.update(headers or {})
    return answer


def busy(status: int, detail: str, wait: float) -> web.Response:
    """A refusal that is over after `wait` seconds."""
    return problem(status, detail, headers={"Retry-After": str(max(1, ceil(wait)))})
