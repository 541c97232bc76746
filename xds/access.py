"""Who may ask the HTTP side what, and what is answered there: builds it from the settings and the running parts.

A part of the composition root, apart from it because it grows by itself. Nothing is decided here.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aiohttp import web

from xds.callout import Admitted, Refused, Resolver, Undecided
from xds.control import Control, Parts
from xds.errors import KeysUnavailable, SettingsError
from xds.http import Gate, ManageFace, RateLimiter, ResolveFace, TokenFace, TokenLimits, build_app
from xds.identities import Access as ChannelAccess
from xds.names import CellId, TenantId
from xds.opaque import opaque_token
from xds.operations.bearing import Bearer, Stranger, of_outcome
from xds.operations.checking import Checker
from xds.operations.exchanging import Denied, Granted, exchange
from xds.operations.fleet import FleetView
from xds.operations.forecasting import forecast
from xds.operations.operators import RoleNames
from xds.operations.phasing import Witnessed
from xds.operations.resolving import Resolution, needed_by, resolve, resolve_token, witnessed_here
from xds.operations.status import SystemStatus
from xds.operations.validating import Validation, validate
from xds.publish.publisher import Publisher
from xds.publish.validating import find_envoy
from xds.registry import PostgresRegistry
from xds.server import Fleet, Operators
from xds.settings import Settings
from xds.telemetry import Metrics
from xds.tokens import Issuer, Signer, SigningKey, TrustedIssuer, Verifier, read_signing_key
from xds.tokens.claims import claim_name
from xds.tokens.keeping import Keys
from xds.translate import EdgeOptions

_LOOKUPS = 2
"""Keys looked up at once: whoever asks for tokens leaves connections to the registry for the publisher."""
_OWN_NAME = "whoever signs has a name of its own"


def own_issuer(settings: Settings, issuers: Sequence[Issuer]) -> Signer | None:
    """What signs our own tokens, and what the edge must trust for them (`.issuer`); None without a signing key.

    Raises `SettingsError`, which quotes no key.
    """
    if not settings.xds_signing_key_files:
        return None
    audiences = settings.auth_audience or tuple(dict.fromkeys(each for idp in issuers for each in idp.audiences))
    if settings.token_issuer in (each.issuer for each in issuers):
        raise SettingsError((f"TOKEN_ISSUER: {settings.token_issuer} is in AUTH_ISSUERS_FILE; {_OWN_NAME}",))
    if not audiences:
        raise SettingsError(("AUTH_AUDIENCE: must be set with XDS_SIGNING_KEY_FILES: for whom the tokens are",))
    return Signer(
        [_read_key(file) for file in settings.xds_signing_key_files],
        issuer=settings.token_issuer,
        audiences=audiences,
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


class Credentials:
    """Whose tokens are taken: the identity providers, whose keys change, and who signs our own.

    Fulfils `xds.publish.Keys`, and has the HTTP side follow the same changes.
    """

    def __init__(self, issuers: Sequence[Issuer], keys: Keys, signer: Signer | None, skew_seconds: int) -> None:
        self.keys = keys
        self.signer = signer
        self.changed: Callable[[], None] = lambda: None
        """Called when the keys may have changed."""
        self.issuers = issuers
        self._skew = skew_seconds

    def jwks(self) -> Mapping[str, str]:
        """Each identity provider's keys; raises `KeysUnavailable` as long as one has none."""
        return self.keys.jwks()

    async def watch(self, wake: Callable[[], None]) -> None:
        """Keep the keys fresh, and call `wake` when they may have changed, until cancelled."""

        def follow() -> None:
            self.changed()
            wake()

        await self.keys.watch(follow)

    def trusted(self) -> tuple[TrustedIssuer, ...]:
        """The identity providers as the verifier wants them; none before all of their keys are known."""
        try:
            jwks = self.keys.jwks()
        except KeysUnavailable:
            return ()
        return tuple(
            TrustedIssuer(
                issuer=each.issuer,
                audiences=each.audiences,
                jwks=jwks[each.issuer],
                tenant_claim=claim_name(each.tenant_claim),
                cell_claim=claim_name(each.cell_claim),
                clock_skew_seconds=self._skew,
                operators=each.operators,
            )
            for each in self.issuers
        )


class Access:
    """The questions of the HTTP side, put to the parts that know."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        registry: PostgresRegistry,
        publisher: Publisher,
        fleet: Fleet,
        resolver: Resolver | None = None,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._signer = signer = credentials.signer
        self._registry = registry
        self._publisher = publisher
        self._fleet = fleet
        self._resolver = resolver
        self._ours = () if signer is None else (signer.issuer,)
        self._turns = asyncio.Semaphore(_LOOKUPS)
        self._operators = Verifier(())
        self._everybody = Verifier(self._ours)
        self._follow()
        credentials.changed = self._follow

    def _follow(self) -> None:
        """Go by the identity providers' present keys."""
        idps = self._credentials.trusted()
        # Never ours: whoever has an API key is a tenant's program, and no operator.
        self._operators.trust(each for each in idps if each.operators)
        self._everybody.trust((*idps, *self._ours))

    def build_app(self, status: Callable[[], SystemStatus], metrics: Metrics, control: Control) -> web.Application:
        """The HTTP side; `control` performs what is asked of /manage."""
        tokens = TokenFace(
            validate=self._validate,
            limits=self._limits(),
            metrics=metrics,
            exchange=None if self._signer is None else self._exchange,
            jwks="" if self._signer is None else self._signer.jwks,
        )
        resolving = ResolveFace(by_tenant=self._resolve, by_token=self._resolve_token)
        gate = self._gate()
        managing = ManageFace(control=control, caller=gate.caller)
        routes = [*tokens.routes(), *resolving.routes(), *managing.routes()]
        return build_app(status, metrics, gate=gate, routes=routes)

    def build_control(
        self, status: Callable[[], SystemStatus], seen: Callable[[], FleetView], options: EdgeOptions
    ) -> Control:
        """What performs operators' requests; `seen` are the nodes of this replica, `options` those of rehearsals."""
        published = self._publisher
        checker = Checker(self._registry.snapshots, find_envoy(self._settings.envoy_binary))
        return Control(
            Parts(
                registry=self._registry,
                rehearsal=self._registry.rehearsal,
                snapshots=self._registry.snapshots,
                rollouts=self._registry.rollouts,
                fleet=self._registry.rollouts,
                seen=seen,
                status=status,
                topology=lambda: published.published.topology if published.published is not None else None,
                witness=self._witness,
                evacuate=published.evacuate,
                check=checker.check,
                has_envoy=checker.envoy is not None,
                policy=self._settings.placement_policy,
                forecast=lambda before, after: forecast(before, after, options, now=time.time()),
            )
        )

    def operators(self, channel: ChannelAccess | None) -> Operators:
        """Who is an operator by gRPC; `channel` is what certificates are good for, None in plain text."""
        return Operators(
            access=channel, mode=self._settings.http_auth, verifier=self._operators, roles=self._role_names()
        )

    def _gate(self) -> Gate:
        settings = self._settings
        return Gate(
            mode=settings.http_auth,
            verifier=self._operators,
            roles=self._role_names(),
            is_metrics_open=settings.metrics_public,
        )

    def _role_names(self) -> RoleNames:
        settings = self._settings
        return RoleNames(
            claim=settings.auth_operator_claim, read=settings.auth_read_role, operate=settings.auth_operate_role
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

    async def _validate(self, token: str, cell: CellId) -> Validation | None:
        bearer = await self._bearer(token)
        published = self._publisher.published
        return None if published is None else validate(bearer, published, cell)

    def _resolve(self, tenant: TenantId) -> Resolution | None:
        published = self._publisher.published
        if published is None:
            return None
        envoys = self._fleet.standings(needed_by(published, tenant))
        return resolve(published, self._publisher.status.snapshot, tenant, envoys)

    def _witness(self, tenant: TenantId) -> Witnessed | None:
        told = self._resolve(tenant)
        return None if told is None else witnessed_here(told)

    async def _resolve_token(self, token: str) -> Resolution | None:
        bearer = await self._bearer(token)
        published = self._publisher.published
        resolution = self._resolve(TenantId(bearer.tenant if isinstance(bearer, Bearer) else ""))
        return None if published is None or resolution is None else resolve_token(bearer, resolution, published)

    async def _bearer(self, token: str) -> Bearer | Stranger:
        """Whose a request with the token is, found out as the edge does: not looked at, asked about, or verified."""
        if self._settings.auth_mode == "off":
            return Bearer(source="AUTH_MODE=off", tenant=self._settings.auth_anonymous_tenant)
        header = f"Bearer {token}"
        if self._resolver is None or opaque_token(header) is None:
            return of_outcome(self._everybody.verify(token, time.time()))
        match await self._resolver.resolve(header):
            case Admitted(tenant=tenant):
                return Bearer(source="the callout", tenant=tenant)
            case Refused(reason=reason, status=status):
                return Stranger(status=status, reason=reason)
            case Undecided():
                return Stranger(status=503, reason="the token cannot be checked now")
