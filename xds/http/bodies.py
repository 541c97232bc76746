"""The fields of a request's body: a JSON object, or a form.

Must not know what the fields mean.
"""

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

from aiohttp import web

LARGEST_BODY = 128 * 1024
"""Bytes: twice the longest token."""

_SECONDS = 10.0
"""How long a body may take to arrive."""

_FORM = "application/x-www-form-urlencoded"


class BadBody(Exception):
    """A body that can't be read: the status to answer with, and why."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


async def read_fields(request: web.Request) -> Mapping[str, object]:
    """The fields; none where there is no body. Raises `BadBody`, which quotes nothing of it."""
    data = await _read(request)
    if not data:
        return {}
    if request.content_type not in ("application/json", _FORM):
        raise BadBody(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected JSON or a form")
    return _parse(data, request.content_type)


async def read_object(request: web.Request) -> Mapping[str, object]:
    """The members of a JSON object, and nothing else: raises `BadBody`, even where there is no body.

    A page in a browser on this machine, which needs no token, could send a form, or text, wherever it likes. To send
    JSON to another origin it must ask first, and is not answered.
    """
    if request.content_type != "application/json":
        raise BadBody(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected a JSON object, as application/json")
    return _parse(await _read(request), request.content_type)


async def _read(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(_SECONDS):
            return await request.read()
    except TimeoutError:
        raise BadBody(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time") from None


def _parse(data: bytes, content_type: str) -> Mapping[str, object]:
    try:
        fields = dict(parse_qsl(data.decode())) if content_type == _FORM else json.loads(data)
    except (ValueError, RecursionError):
        raise BadBody(HTTPStatus.BAD_REQUEST, "the body is not what its Content-Type says") from None
    if not isinstance(fields, dict):
        raise BadBody(HTTPStatus.BAD_REQUEST, "expected a JSON object")
    return fields


def text_of(fields: Mapping[str, object], name: str) -> str:
    """A field that is text, empty if it is not there; raises `BadBody`."""
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise BadBody(HTTPStatus.BAD_REQUEST, f"{name}: expected text")
    return value


def flag_of(fields: Mapping[str, object], name: str) -> bool:
    """A field that is true or false, false if it is not there; raises `BadBody`."""
    value = fields.get(name, False)
    if value not in (True, False, "true", "false"):
        raise BadBody(HTTPStatus.BAD_REQUEST, f"{name}: expected true or false")
    return value in (True, "true")
