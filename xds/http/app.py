"""The HTTP routes: what each path answers, always as JSON but for the metrics.

Must not know where the status comes from, or which address it is served at.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from xds.http.answers import json_answer, problem
from xds.http.bodies import LARGEST_BODY
from xds.http.gate import Gate
from xds.http.statusz import to_statusz
from xds.operations.status import SystemStatus, readiness
from xds.telemetry import Metrics, get_logger, redact

_log = get_logger()


def build_app(
    status: Callable[[], SystemStatus],
    metrics: Metrics,
    *,
    gate: Gate | None = None,
    routes: Iterable[web.RouteDef] = (),
) -> web.Application:
    """The application, with further `routes`; `status` is called once a request, and must be quick."""
    app = web.Application(middlewares=[_answer_in_json, _guard(gate or Gate())], client_max_size=LARGEST_BODY)
    app.add_routes(routes)
    answers: dict[str, Callable[[], web.Response]] = {
        "/healthz": _healthz,
        "/readyz": lambda: _readyz(status()),
        "/statusz": lambda: json_answer(redact(to_statusz(status())), indent=2),
        "/metrics": lambda: _metrics(status(), metrics),
    }
    app.add_routes([web.get(path, _handler(answer)) for path, answer in answers.items()])
    return app


def build_refusal(reason: str) -> web.Application:
    """An application that says at /readyz why nothing is served, and has no other path."""
    app = web.Application(middlewares=[_answer_in_json])
    app.add_routes([web.get("/readyz", _handler(lambda: _unready(reason)))])
    return app


def _unready(reason: str) -> web.Response:
    return json_answer({"status": "unavailable", "reason": redact(reason)}, HTTPStatus.SERVICE_UNAVAILABLE)


def _healthz() -> web.Response:
    # That the event loop gets round to answering is all that it says.
    return json_answer({"status": "ok"})


def _metrics(status: SystemStatus, metrics: Metrics) -> web.Response:
    metrics.ready.set(readiness(status).ready)
    return web.Response(body=metrics.render(), headers={"Content-Type": metrics.content_type})


def _readyz(status: SystemStatus) -> web.Response:
    verdict = readiness(status)
    if not verdict.ready:
        return _unready(verdict.reason)
    # These keys in this order, with no space, are the cutover runbook's contract; what it did not know follows.
    usual = {"tenant_resolution": "envoy", "publish_mode": "auto"}
    told = {"tenant_resolution": status.tenant_resolution, "publish_mode": status.publish.mode}
    unusual = {name: value for name, value in told.items() if value != usual[name]}
    return json_answer(
        {
            "status": "ok",
            "cells": verdict.active_cells,
            "auth_mode": status.auth_mode,
            "cba_mode": status.cba_mode,
            **unusual,
        }
    )


def _handler(answer: Callable[[], web.Response]) -> Handler:
    async def handle(_request: web.Request) -> web.Response:  # async because aiohttp wants it so
        return answer()

    return handle


def _guard(gate: Gate) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = gate.refusal(request)
        return await handler(request) if refusal is None else refusal

    return guard


@web.middleware
async def _answer_in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        response = await handler(request)
    except web.HTTPException as refusal:
        response = problem(refusal.status, refusal.reason.lower())
        if isinstance(refusal, web.HTTPMethodNotAllowed):
            response.headers["Allow"] = ", ".join(sorted(refusal.allowed_methods))
    except Exception:  # noqa: BLE001 -- whatever it is, the client gets a JSON 500 and the log the traceback
        _log.exception("http.failed", method=request.method, path=request.path)
        response = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal server error")
    _log.debug("http.answered", method=request.method, path=request.path, status=response.status)
    return response
