"""Who may ask the HTTP side what, and what is answered there: builds it from the settings and the running parts.

A part of the composition root, apart from it because it grows by itself. Nothing is decided here.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from xds.errors import SettingsError
from xds.http import Gate, RateLimiter, ResolveFace, TokenFace, TokenLimits, build_app
from xds.names import CellId, TenantId
from xds.operations.exchanging import Denied, Granted, exchange
from xds.operations.operators import RoleNames
from xds.operations.resolving import Resolution, needed_by, resolve, resolve_token
from xds.operations.status import SystemStatus
from xds.operations.validating import Validation, validate
from xds.publish import Publisher
from xds.registry import PostgresRegistry
from xds.server import Fleet
from xds.settings import Settings
from xds.telemetry import Metrics
from xds.tokens import Signer, SigningKey, TrustedIssuer, Verifier, read_signing_key
from xds.translate import AuthOptions

_LOOKUPS = 2
"""Keys looked up at once: whoever asks for tokens leaves connections to the registry for the publisher."""


def trusted_issuers(auth: AuthOptions) -> tuple[TrustedIssuer, ...]:
    """The identity providers that the edge trusts, as the verifier wants them."""
    idp = TrustedIssuer(
        issuer=auth.issuer,
        audiences=auth.audiences,
        jwks=auth.jwks,
        tenant_claim=auth.tenant_claim,
        cell_claim=auth.cell_claim,
        clock_skew_seconds=auth.clock_skew_seconds,
    )
    return (idp,)


def own_issuer(settings: Settings) -> Signer | None:
    """What signs our own tokens, and what the edge must trust for them (`.issuer`); None without a signing key.

    Raises `SettingsError`, which quotes no key.
    """
    if not settings.xds_signing_key_files:
        return None
    return Signer(
        [_read_key(file) for file in settings.xds_signing_key_files],
        issuer=settings.token_issuer,
        audiences=settings.auth_audience,
        life_seconds=settings.token_life_seconds,
        tenant_claim=settings.auth_tenant_claim,
        cell_claim=settings.auth_cell_claim,
        clock_skew_seconds=settings.auth_clock_skew_seconds,
    )


def _read_key(file: Path) -> SigningKey:
    try:
        return read_signing_key(file.read_bytes())
    except OSError as error:
        raise SettingsError((f"XDS_SIGNING_KEY_FILES: cannot read {file}: {error.strerror}",)) from None
    except ValueError as error:
        raise SettingsError((f"XDS_SIGNING_KEY_FILES: {file}: {error}",)) from None


class Access:
    """The questions of the HTTP side, put to the parts that know."""

    def __init__(
        self,
        settings: Settings,
        idps: tuple[TrustedIssuer, ...],
        signer: Signer | None,
        registry: PostgresRegistry,
        publisher: Publisher,
        fleet: Fleet,
    ) -> None:
        self._settings = settings
        self._signer = signer
        self._registry = registry
        self._publisher = publisher
        self._fleet = fleet
        self._ours = () if signer is None else (signer.issuer,)
        self._turns = asyncio.Semaphore(_LOOKUPS)
        # Not ours: whoever has an API key is a tenant's program, and never an operator.
        self._operators = Verifier(idps)
        self._everybody = Verifier((*idps, *self._ours))

    def trust(self, idps: tuple[TrustedIssuer, ...]) -> None:
        """Go by these identity providers, and these keys of theirs, from now on."""
        self._operators.trust(idps)
        self._everybody.trust((*idps, *self._ours))

    def build_app(self, status: Callable[[], SystemStatus], metrics: Metrics) -> web.Application:
        """The HTTP side."""
        tokens = TokenFace(
            validate=self._validate,
            limits=self._limits(),
            metrics=metrics,
            exchange=None if self._signer is None else self._exchange,
            jwks="" if self._signer is None else self._signer.jwks,
        )
        resolving = ResolveFace(by_tenant=self._resolve, by_token=self._resolve_token)
        return build_app(status, metrics, gate=self._gate(), routes=[*tokens.routes(), *resolving.routes()])

    def _gate(self) -> Gate:
        settings = self._settings
        return Gate(
            mode=settings.http_auth,
            verifier=self._operators,
            roles=RoleNames(
                claim=settings.auth_operator_claim, read=settings.auth_read_role, operate=settings.auth_operate_role
            ),
            is_metrics_open=settings.metrics_public,
        )

    def _limits(self) -> TokenLimits:
        a_minute, a_second = self._settings.token_requests_per_minute, self._settings.validations_per_second
        return TokenLimits(
            exchanges=RateLimiter(a_minute / 60, a_minute),
            by_key=RateLimiter(a_minute / 60, a_minute),
            validations=RateLimiter(a_second, a_second),
        )

    async def _exchange(self, key: str, is_bound: bool) -> Granted | Denied | None:
        published, signer = self._publisher.published, self._signer
        if published is None or signer is None:
            return None
        keys, topology = self._registry.api_keys, published.topology
        async with self._turns:
            return await exchange(keys, signer, topology, key, bind_cell=is_bound, now=time.time())

    def _validate(self, token: str, cell: CellId) -> Validation | None:
        published, bound = self._publisher.published, self._settings.cba_mode
        if published is None:
            return None
        return validate(self._everybody, published.topology, bound, token=token, cell=cell, now=time.time())

    def _resolve(self, tenant: TenantId) -> Resolution | None:
        published = self._publisher.published
        if published is None:
            return None
        envoys = self._fleet.standings(needed_by(published, tenant))
        return resolve(published, self._publisher.status.snapshot, tenant, envoys)

    def _resolve_token(self, token: str) -> Resolution | None:
        outcome = self._everybody.verify(token, time.time())
        return resolve_token(outcome, self._settings.cba_mode, self._resolve)
