"""What programs ask: a token for an API key, whether a token is good in a cell, and our public keys.

Limits how often each may ask. Must not know how a key or a token is checked.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from http import HTTPStatus

from aiohttp import web

from xds.errors import RegistryError
from xds.http.answers import busy, json_answer, problem
from xds.http.bodies import BadBody, flag_of, read_fields, text_of
from xds.http.gate import bearer
from xds.http.limiter import RateLimiter, asker_at
from xds.names import CellId
from xds.operations.exchanging import Denied, Granted
from xds.operations.validating import Validation
from xds.telemetry import Metrics, get_logger, redact

Exchange = Callable[[str, bool], Awaitable[Granted | Denied | None]]
"""The exchange of a key, bound to its tenant's cell or not; None before the first snapshot."""

Validate = Callable[[str, CellId], Awaitable[Validation | None]]
"""Whether a token is good in a cell; None before the first snapshot."""

_OFF = "no token is given for API keys here: XDS_SIGNING_KEY_FILES is not set"
_WRONG = "the API key is not valid"
_TOO_OFTEN = "asked too often"
_NOT_YET = "no snapshot is published yet"
_RETRY_SECONDS = 5.0

_log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLimits:
    """How often: by client address and by key, and validations by client address."""

    exchanges: RateLimiter
    by_key: RateLimiter
    validations: RateLimiter
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFace:
    """The three paths; without `exchange` there are no API keys."""

    validate: Validate
    limits: TokenLimits
    metrics: Metrics
    exchange: Exchange | None = None
    jwks: str = field(default="", repr=False)

    def routes(self) -> list[web.RouteDef]:
        """The paths and what answers them."""
        return [
            web.post("/token", self._answer_exchange),
            web.post("/validate", self._answer_validation),
            web.get("/.well-known/jwks.json", self._answer_jwks),
        ]

    async def _answer_exchange(self, request: web.Request) -> web.Response:
        if self.exchange is None:
            return problem(HTTPStatus.NOT_FOUND, _OFF)
        # Before anything is looked at, so that a guess costs its turn whatever comes of it.
        if wait := self.limits.exchanges.take(asker_at(request.remote), self.limits.clock()):
            return self._limited(wait)
        try:
            fields = await read_fields(request)
            key, is_bound = text_of(fields, "api_key") or bearer(request), flag_of(fields, "bind_cell")
        except BadBody as error:
            return problem(error.status, error.detail)
        try:
            outcome = await self.exchange(key, is_bound)
        except RegistryError as error:
            _log.warning("token.failed", error=str(error))
            self.metrics.count_exchange("failed")
            return busy(HTTPStatus.SERVICE_UNAVAILABLE, "keys cannot be looked up now", _RETRY_SECONDS)
        return self._told(outcome, asker_at(request.remote))

    def _told(self, outcome: Granted | Denied | None, asker: str) -> web.Response:
        match outcome:
            case None:
                return busy(HTTPStatus.SERVICE_UNAVAILABLE, _NOT_YET, _RETRY_SECONDS)
            case Denied(key_id=key_id, why=why):
                _log.info("token.denied", key_id=key_id, reason=why, client=asker)
                self.metrics.count_exchange("denied")
                challenge = {"WWW-Authenticate": 'Bearer realm="alphaswarm-xds"'}
                return problem(HTTPStatus.UNAUTHORIZED, _WRONG, headers=challenge)
            case Granted(key_id=key_id, issued=issued):
                # By key only once it is known to be right: by its id alone, anybody could use up an owner's turns.
                if wait := self.limits.by_key.take(key_id, self.limits.clock()):
                    return self._limited(wait)
                _log.info("token.issued", key_id=key_id, client=asker, seconds=issued.expires_in)
                self.metrics.count_exchange("granted")
                return json_answer(
                    {"access_token": issued.token, "token_type": "Bearer", "expires_in": issued.expires_in}
                )

    def _limited(self, wait: float) -> web.Response:
        self.metrics.count_exchange("limited")
        return busy(HTTPStatus.TOO_MANY_REQUESTS, _TOO_OFTEN, wait)

    async def _answer_validation(self, request: web.Request) -> web.Response:
        if wait := self.limits.validations.take(asker_at(request.remote), self.limits.clock()):
            self.metrics.count_validation("limited")
            return busy(HTTPStatus.TOO_MANY_REQUESTS, _TOO_OFTEN, wait)
        try:
            fields = await read_fields(request)
            token, cell = text_of(fields, "token") or bearer(request), CellId(text_of(fields, "cell"))
        except BadBody as error:
            return problem(error.status, error.detail)
        if not (token and cell):
            return problem(HTTPStatus.BAD_REQUEST, "expected a token and a cell")
        outcome = await self.validate(token, cell)
        if outcome is None:
            return busy(HTTPStatus.SERVICE_UNAVAILABLE, _NOT_YET, _RETRY_SECONDS)
        self.metrics.count_validation("allowed" if outcome.allowed else "refused")
        return json_answer(redact(asdict(outcome)))

    async def _answer_jwks(self, _request: web.Request) -> web.Response:
        if not self.jwks:
            return problem(HTTPStatus.NOT_FOUND, _OFF)
        headers = {"Cache-Control": "public, max-age=60"}
        return web.Response(text=self.jwks, content_type="application/json", headers=headers)
