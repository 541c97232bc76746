"""/manage: every operation at its place, as JSON; and the OpenAPI document of them.

Reads requests and writes answers. What can be asked is the table's business; who may, the gate's.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from xds.control import OPERATIONS, Control, Operation
from xds.errors import Conflict, NotFound, RegistryError, RequestError, Stale, XdsError
from xds.http.answers import busy, json_answer, problem
from xds.http.bodies import BadBody, read_object
from xds.http.openapi import to_openapi

OPENAPI_PATH = "/manage/openapi.json"

_RETRY_SECONDS = 5.0
_STATUS_OF: tuple[tuple[type[XdsError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (Stale, HTTPStatus.PRECONDITION_FAILED),
    (Conflict, HTTPStatus.CONFLICT),
    (RequestError, HTTPStatus.BAD_REQUEST),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageFace:
    """Has `control` perform what is asked; `caller` says who asks."""

    control: Control
    caller: Callable[[web.Request], str]

    def routes(self) -> list[web.RouteDef]:
        """A route an operation, and the document."""
        document = json.dumps(to_openapi(OPERATIONS), ensure_ascii=False)

        async def describe(_request: web.Request) -> web.Response:  # async because aiohttp wants it so
            return web.Response(text=document, content_type="application/json")

        described = web.get(OPENAPI_PATH, describe)
        return [described, *map(self._route, OPERATIONS)]

    def _route(self, operation: Operation[Any, Any]) -> web.RouteDef:
        handler = self._handler(operation)
        if operation.method == "GET":
            return web.get(operation.path, handler)  # and HEAD
        return web.route(operation.method, operation.path, handler)

    def _handler(self, operation: Operation[Any, Any]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            try:
                data = await _read(operation, request)
                answer = await self.control.perform(operation, data, self.caller(request))
            except BadBody as error:
                return problem(error.status, error.detail)
            except RegistryError as error:
                return busy(HTTPStatus.SERVICE_UNAVAILABLE, str(error), _RETRY_SECONDS)
            except RequestError as error:
                return problem(next(status for kind, status in _STATUS_OF if isinstance(error, kind)), str(error))
            return _told(operation, answer.model_dump(mode="json", exclude_none=True))

        return handle


async def _read(operation: Operation[Any, Any], request: web.Request) -> Mapping[str, object]:
    """The fields of the request: of its path, of the query or the body, and of If-Match. Raises `BadBody`."""
    named: dict[str, object] = dict(request.match_info)
    if operation.method == "GET":
        repeated = [name for name in request.query if len(request.query.getall(name)) > 1]
        if repeated:
            raise RequestError(f"{repeated[0]}: expected once")
        given: Mapping[str, object] = request.query
    else:
        if request.query:
            raise RequestError(f"{next(iter(request.query))}: expected in the body, if at all")
        given = await read_object(request)
    if operation.is_conditional:
        named["etag"] = _expected(request)
    if twice := named.keys() & given.keys():
        raise RequestError(f"{min(twice)}: expected not here, but in the path or a header")
    return {**given, **named}


def _expected(request: web.Request) -> str:
    """What If-Match says; RFC 9110, 13.1.1: a weak etag never matches. Raises `BadBody`."""
    try:
        tags = request.if_match
    except ValueError:
        tags = None
    if not tags:
        raise BadBody(
            HTTPStatus.PRECONDITION_REQUIRED,
            "expected the header If-Match with the ETag of what is to change, as a GET answers it, or *",
        )
    return ",".join("*" if tag.value == "*" else tag.value for tag in tags if not tag.is_weak) or "-"


def _told(operation: Operation[Any, Any], document: dict[str, object]) -> web.Response:
    answer = json_answer(document, HTTPStatus.CREATED if operation.creates else HTTPStatus.OK)
    etag = document.get("etag")
    if isinstance(etag, str):
        answer.headers["ETag"] = f'"{etag}"'
    if operation.creates:
        answer.headers["Location"] = f"{operation.path}/{document['id']}"
    return answer
