"""/resolve: where a tenant's, or a token's, requests go, as JSON with sentences.

Must not know how that is found out.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus

from aiohttp import web

from xds.http.answers import busy, json_answer, problem
from xds.http.bodies import BadBody, read_fields, text_of
from xds.http.gate import bearer
from xds.names import TenantId
from xds.operations.resolving import Resolution
from xds.telemetry import redact

_NEVER = "a token in a URL gets into logs: send it by POST, as the field `token`, or as this request's Authorization"
_EXPECTED = "expected ?tenant=…, or by POST a field `tenant` or `token`"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveFace:
    """Answers by tenant and by token; both give None before the first snapshot."""

    by_tenant: Callable[[TenantId], Resolution | None]
    by_token: Callable[[str], Awaitable[Resolution | None]]

    def routes(self) -> list[web.RouteDef]:
        """The path and what answers it."""
        return [web.get("/resolve", self._answer_get), web.post("/resolve", self._answer_post)]

    async def _answer_get(self, request: web.Request) -> web.Response:
        if any(name.lower().endswith("token") for name in request.query):
            return problem(HTTPStatus.BAD_REQUEST, _NEVER)
        return await self._answer(request.query.get("tenant", ""), bearer(request))

    async def _answer_post(self, request: web.Request) -> web.Response:
        try:
            fields = await read_fields(request)
            return await self._answer(text_of(fields, "tenant"), text_of(fields, "token"))
        except BadBody as error:
            return problem(error.status, error.detail)

    async def _answer(self, tenant: str, token: str) -> web.Response:
        if not (tenant or token):
            return problem(HTTPStatus.BAD_REQUEST, _EXPECTED)
        resolution = self.by_tenant(TenantId(tenant)) if tenant else await self.by_token(token)
        if resolution is None:
            return busy(HTTPStatus.SERVICE_UNAVAILABLE, "no snapshot is published yet", 5)
        return json_answer(redact(to_document(resolution)), indent=2)


def to_document(resolution: Resolution) -> dict[str, object]:
    """A resolution as JSON types."""
    cell = resolution.cell
    return {
        "found": resolution.found,
        "tenant": resolution.tenant,
        "state": resolution.state,
        "cell": None
        if cell is None
        else {"id": cell.id, "state": cell.state, "endpoints": {"count": cell.endpoints, "zones": dict(cell.zones)}},
        "route_table": resolution.route_table,
        "revision": resolution.revision,
        "snapshot": resolution.snapshot,
        "envoys": [{**asdict(envoy), "acknowledged": envoy.has_acknowledged} for envoy in resolution.envoys],
        "why": list(resolution.why),
    }
