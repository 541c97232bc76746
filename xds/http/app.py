"""The HTTP routes: what each path answers, always as JSON but for the metrics.

Must not know where the status comes from, or which address it is served at.
"""

import json
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from xds.http.statusz import to_statusz
from xds.operations.status import SystemStatus, readiness
from xds.telemetry import Metrics, get_logger, redact

_log = get_logger()


def build_app(status: Callable[[], SystemStatus], metrics: Metrics) -> web.Application:
    """The application; `status` is called once a request, and must be quick."""
    app = web.Application(middlewares=[_answer_in_json])
    answers: dict[str, Callable[[], web.Response]] = {
        "/healthz": _healthz,
        "/readyz": lambda: _readyz(status()),
        "/statusz": lambda: _json(redact(to_statusz(status())), indent=2),
        "/metrics": lambda: web.Response(body=metrics.render(), headers={"Content-Type": metrics.content_type}),
        "/manage/cells": lambda: _cells(status()),
    }
    app.add_routes([web.get(path, _handler(answer)) for path, answer in answers.items()])
    return app


def _healthz() -> web.Response:
    # That the event loop gets round to answering is all that it says.
    return _json({"status": "ok"})


def _readyz(status: SystemStatus) -> web.Response:
    verdict = readiness(status)
    if not verdict.ready:
        unavailable = {"status": "unavailable", "reason": redact(verdict.reason)}
        return _json(unavailable, HTTPStatus.SERVICE_UNAVAILABLE)
    # These keys in this order, with no space, are the cutover runbook's contract; what it did not know follows.
    unusual = {"tenant_resolution": status.tenant_resolution} if status.tenant_resolution != "envoy" else {}
    return _json(
        {
            "status": "ok",
            "cells": verdict.active_cells,
            "auth_mode": status.auth_mode,
            "cba_mode": status.cba_mode,
            **unusual,
        }
    )


def _cells(status: SystemStatus) -> web.Response:
    return _json({"data": [{"id": cell, "state": state} for cell, state in sorted(status.cells)]})


def _handler(answer: Callable[[], web.Response]) -> Handler:
    async def handle(_request: web.Request) -> web.Response:  # async because aiohttp wants it so
        return answer()

    return handle


@web.middleware
async def _answer_in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        response = await handler(request)
    except web.HTTPException as refusal:
        response = _json({"error": refusal.reason.lower()}, refusal.status)
        if isinstance(refusal, web.HTTPMethodNotAllowed):
            response.headers["Allow"] = ", ".join(sorted(refusal.allowed_methods))
    except Exception:  # noqa: BLE001 -- whatever it is, the client gets a JSON 500 and the log the traceback
        _log.exception("http.failed", method=request.method, path=request.path)
        response = _json({"error": "internal server error"}, HTTPStatus.INTERNAL_SERVER_ERROR)
    _log.debug("http.answered", method=request.method, path=request.path, status=response.status)
    return response


def _json(document: object, status: int = HTTPStatus.OK, indent: int | None = None) -> web.Response:
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(document, indent=indent, separators=separators, ensure_ascii=False)
    headers = {"Cache-Control": "no-store"}
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)
