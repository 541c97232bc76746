"""Every setting: its variable, meaning, default and check.

Read once, by the command line, from the environment and an optional file of `NAME=value` lines (the
environment wins). Nothing else in the package reads the environment.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from xds.canarysettings import CanarySettings
from xds.errors import SettingsError
from xds.identities import NodeRule
from xds.placementsettings import PlacementSettings
from xds.settingfaults import check_lines, fault_text
from xds.settingvalues import (
    Address,
    CbaMode,
    HttpAuth,
    TenantResolution,
    TlsFiles,
    has_port,
    is_loopback,
    read_address,
    read_items,
    read_listeners,
    read_node_rules,
)
from xds.snapshotsettings import SnapshotSettings
from xds.websocketsettings import WebsocketSettings

__all__ = ["Address", "CbaMode", "HttpAuth", "Settings", "TlsFiles"]


class Settings(SnapshotSettings, CanarySettings, PlacementSettings, WebsocketSettings):
    """The settings of `alphaswarm-xds`; each field's variable is its name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True, env_ignore_empty=True)

    database_url: SecretStr = Field(
        default=SecretStr("postgresql://localhost/alphaswarm"),
        description="The registry's PostgreSQL, as a postgresql:// URL.",
    )
    database_pool_size: int = Field(default=4, ge=1, le=100, description="Connections to PostgreSQL at most.")
    database_timeout_seconds: float = Field(
        default=10,
        gt=0,
        allow_inf_nan=False,
        description="How long one query, or the making of a connection, may take.",
    )
    registry_poll_seconds: float = Field(
        default=5,
        gt=0,
        allow_inf_nan=False,
        description="How often the change log is read even if no notification came.",
    )
    publish_interval_ms: int = Field(
        default=10,
        ge=0,
        description="The least time between two publishes: a lone change goes at once, a burst is coalesced.",
    )

    xds_listen: Annotated[Address, NoDecode] = Field(
        default=Address("0.0.0.0", 18000),  # noqa: S104 -- a server listens
        description="Where Envoys reach the ADS server.",
    )
    xds_tls_cert_file: Path | None = Field(
        default=None,
        description="The server's certificate and its chain, in PEM; followed on disk. With it, TLS 1.3 is spoken"
        " and every client must show a certificate. Needs the next two.",
    )
    xds_tls_key_file: Path | None = Field(default=None, description="The private key of that certificate, in PEM.")
    xds_tls_client_ca_file: Path | None = Field(
        default=None, description="The CA, or several, that clients' certificates must be of, in PEM."
    )
    xds_node_identities: Annotated[tuple[NodeRule, ...], NoDecode] = Field(
        default=(),
        description="Which certificate may be which node: SAN=node-id@group, * for any text, separated by commas;"
        " the SAN is a URI or a DNS name. Unset: a SAN must be the node id itself, in any group.",
    )
    xds_operator_identities: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="SANs, * for any text, separated by commas, whose certificates are operators': client status,"
        " reflection and the control service. Unset: none.",
    )
    xds_allow_plaintext: bool = Field(
        default=False, description="yes: Envoys may be served in plain text on other addresses than loopback."
    )
    xds_streams_per_second: float = Field(
        default=500,
        gt=0,
        allow_inf_nan=False,
        description="New streams served per second; more wait their turn, and after 10 s are told to come back.",
    )
    xds_stream_burst: int = Field(
        default=500, ge=1, description="New streams that are served at once, before that rate counts."
    )
    xds_stream_max_age_seconds: float = Field(
        default=0,
        ge=0,
        allow_inf_nan=False,
        description="When a stream is ended so that Envoys spread over replicas, give or take 10 %; 0: never.",
    )
    http_listen: Annotated[Address, NoDecode] = Field(
        default=Address("0.0.0.0", 8080),  # noqa: S104 -- a server listens
        description="Where /readyz, /statusz, /metrics, /resolve, /token, /validate and /manage are served.",
    )
    shutdown_seconds: float = Field(
        default=5,
        ge=0,
        allow_inf_nan=False,
        description="Over how long streams are ended on shutdown, and how long it may take.",
    )

    auth_mode: Literal["required", "optional", "off"] = Field(
        default="required",
        description="required: every request to a cell needs a valid token; optional: one without is"
        " AUTH_ANONYMOUS_TENANT's, if that is set; off: all are, and no token is looked at.",
    )
    auth_anonymous_tenant: str = Field(
        default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,127})?$", description="Whose a request without a token is."
    )
    auth_issuer: str = Field(default="", description="The `iss` that tokens must carry. Required.")
    auth_audience: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="The `aud` values that tokens may carry, separated by commas. Required."
    )
    auth_jwks_url: str = Field(
        default="", description="Where the issuer publishes its public keys, its `jwks_uri`. Required, or the file."
    )
    auth_jwks_file: Path | None = Field(
        default=None, description="A JWKS file with the issuer's public keys; followed when it changes."
    )
    auth_issuers_file: Path | None = Field(
        default=None,
        description="Several issuers, instead of the variables above: a JSON list of objects with issuer, audiences,"
        " jwks_url or jwks_file and, if they differ from the variables, tenant_claim, cell_claim, algorithms; with"
        " operators: true if its tokens may be an operator's.",
    )
    auth_algorithms: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("RS256", "ES256"),
        description="The algorithms that tokens may be signed by, separated by commas: of RS256, RS384, RS512, PS256,"
        " PS384, PS512, ES256, ES384, ES512, EdDSA.",
    )
    auth_jwks_refresh_seconds: float = Field(
        default=60,
        gt=0,
        le=86400,
        allow_inf_nan=False,
        description="How often keys are fetched; sooner if their Cache-Control says so.",
    )
    auth_jwks_overlap_seconds: float = Field(
        default=3600,
        ge=0,
        allow_inf_nan=False,
        description="How long a key is still accepted after its issuer has withdrawn it; as long as a token lives.",
    )
    auth_jwks_insecure: bool = Field(
        default=False, description="Whether keys may be fetched by http:// from other machines, too."
    )
    auth_token_bytes: int = Field(
        default=8192,
        ge=1024,
        le=65536,
        description="The largest token: larger ones are not cached, and a request's headers may have 24 KiB more.",
    )
    auth_tenant_claim: str = Field(
        default="tenant_id",
        min_length=1,
        description="The claim that names the tenant: a.b for a claim in another, or a JSON pointer.",
    )
    auth_cell_claim: str = Field(default="cell", min_length=1, description="The claim that binds a token to a cell.")
    auth_clock_skew_seconds: int = Field(
        default=60,
        ge=1,
        le=600,
        description="How far a token's times may be off the edge's clock. (Envoy takes 0 for 60.)",
    )
    cba_mode: CbaMode = Field(
        default=CbaMode.ENFORCE,
        description="Cell-bound tokens used in another cell: enforce (401), monitor (count only) or off.",
    )
    cba_grace_seconds: int = Field(
        default=0,
        ge=0,
        le=3600,
        description="For how long after a tenant's move the old cell's tokens pass; 0: not at all.",
    )
    auth_operator_claim: str = Field(
        default="roles",
        min_length=1,
        description="The claim of an operator's token that has the roles: text or a list.",
    )
    auth_operator_role: str = Field(
        default="operator", min_length=1, description="The role of whom the edge lets through to /manage."
    )
    hide_suspended: bool = Field(
        default=False, description="yes: a suspended tenant gets the very answer of an unknown one; no: it is told."
    )

    http_auth: HttpAuth = Field(
        default=HttpAuth.LOOPBACK,
        description="Who needs an operator's token for /statusz, /resolve and /manage: token (everybody), loopback"
        " (everybody but this machine), off (nobody).",
    )
    auth_read_role: str = Field(default="read", min_length=1, description="The role of who may look.")
    auth_operate_role: str = Field(
        default="operate", min_length=1, description="The role of who may look and change things."
    )
    metrics_public: bool = Field(default=True, description="Whether /metrics needs no operator's token.")
    xds_signing_key_files: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(),
        description="P-256 private keys in PEM, separated by commas: the first signs the tokens that API keys are"
        " exchanged for, all verify. Unset: no exchange.",
    )
    token_issuer: str = Field(
        default="https://alphaswarm-xds", min_length=1, description="The `iss` of the tokens that we sign."
    )
    token_life_seconds: int = Field(
        default=300,
        ge=5,
        le=3600,
        description="How long such a token lives. So long, and AUTH_CLOCK_SKEW_SECONDS, after an API key is revoked"
        " its last token still works.",
    )
    token_requests_per_minute: int = Field(
        default=120, ge=1, description="How often one client address, and one API key, may ask for a token."
    )
    validations_per_second: int = Field(
        default=500, ge=1, description="How often one client address may ask /validate about a token."
    )

    edge_listeners: Annotated[dict[str, Address], NoDecode] = Field(
        default={"alphaswarm-edge": Address("0.0.0.0", 10000)},  # noqa: S104 -- the edge listens
        description="Node groups and where their Envoys listen: group=host:port, separated by commas."
        " A node's group is its `cluster`.",
    )
    edge_trusted_hops: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Proxies in front of the edge whose x-forwarded-for is believed: 1 for a tunnel; 0: clients connect"
        " to it themselves.",
    )
    grpc_node_group: str = Field(
        default="alphaswarm-grpc",
        min_length=1,
        description="The node group of programs that call a cell by gRPC's own xDS client, with no proxy:"
        " the `cluster` in their bootstrap.",
    )
    client_upstream: Annotated[Address | None, NoDecode] = Field(
        default=None, description="host:port of alphaswarm-client, for /static and /; unset: these are 404."
    )
    controller_upstream: Annotated[Address | None, NoDecode] = Field(
        default=None, description="host:port of alphaswarm-controller, for operators' /manage; unset: it is 404."
    )
    internal_listeners: Annotated[dict[str, Address], NoDecode] = Field(
        default={},
        description="Node groups whose Envoys also listen for callers inside the platform, by mutual TLS, and route by"
        " x-alphaswarm-cell: group=host:port, separated by commas; unset: none.",
    )
    internal_tls_cert_file: str = Field(
        default="", description="That listener's certificate chain, a file on Envoy's machine."
    )
    internal_tls_key_file: str = Field(default="", description="Its private key, a file on Envoy's machine.")
    internal_tls_ca_file: str = Field(
        default="", description="The CA of those callers' certificates, a file on Envoy's machine."
    )
    internal_allowed_sans: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Which callers: URIs (spiffe://…) or DNS names in their certificates, separated by commas.",
    )
    cell_health_path: str = Field(
        default="/healthz", pattern="^/", description="The path at which Envoys check a cell's endpoints."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe log line that is written."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="json, console, or auto: console on a terminal, json elsewhere."
    )

    _addresses = field_validator("xds_listen", "http_listen", "client_upstream", "controller_upstream", mode="before")(
        read_address
    )
    _groups = field_validator("edge_listeners", "internal_listeners", mode="before")(read_listeners)
    _ports = field_validator("client_upstream", "controller_upstream")(has_port)

    _lists = field_validator(
        "auth_audience",
        "auth_algorithms",
        "xds_operator_identities",
        "internal_allowed_sans",
        "xds_signing_key_files",
        mode="before",
    )(read_items)
    _rules = field_validator("xds_node_identities", mode="before")(read_node_rules)

    @field_validator("xds_signing_key_files", mode="before")
    @classmethod
    def _is_no_key(cls, value: object) -> object:
        if "-----BEGIN" in str(value):
            raise ValueError("expected the paths of files, got what looks like a key")  # which is quoted nowhere
        return value

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("expected a URL that starts with postgresql://")
        return value

    @model_validator(mode="after")
    def _has_groups(self) -> Self:
        if not self.edge_listeners:
            raise ValueError("EDGE_LISTENERS: expected at least one group=host:port")
        if self.auth_mode == "off" and not self.auth_anonymous_tenant:
            raise ValueError("AUTH_ANONYMOUS_TENANT: must be set while AUTH_MODE=off; every request is that tenant's")
        if self.auth_mode == "off" and self.tenant_resolution is TenantResolution.CALLOUT:
            raise ValueError("TENANT_RESOLUTION: callout has nothing to resolve while AUTH_MODE=off")
        for variable, listeners in (
            ("EDGE_LISTENERS", self.edge_listeners),
            ("INTERNAL_LISTENERS", self.internal_listeners),
        ):
            if self.grpc_node_group in listeners:
                raise ValueError(f"GRPC_NODE_GROUP: {self.grpc_node_group} is a group of {variable}; expected another")
        if self.token_issuer == self.auth_issuer:
            raise ValueError(f"TOKEN_ISSUER: {self.token_issuer} is AUTH_ISSUER; whoever signs has a name of its own")
        return self

    @model_validator(mode="after")
    def _knows_internal_callers(self) -> Self:
        needed = ("internal_tls_cert_file", "internal_tls_key_file", "internal_tls_ca_file", "internal_allowed_sans")
        missing = [name.upper() for name in needed if not getattr(self, name)]
        if self.internal_listeners and missing:
            raise ValueError(
                f"{', '.join(missing)}: must be set with INTERNAL_LISTENERS, whose callers prove who they are"
            )
        return self

    @model_validator(mode="after")
    def _has_whole_tls(self) -> Self:
        files = {
            "XDS_TLS_CERT_FILE": self.xds_tls_cert_file,
            "XDS_TLS_KEY_FILE": self.xds_tls_key_file,
            "XDS_TLS_CLIENT_CA_FILE": self.xds_tls_client_ca_file,
        }
        unset = [name for name, file in files.items() if not file]
        if 0 < len(unset) < len(files):
            raise ValueError(f"{unset[0]}: must be set: TLS needs all of {', '.join(files)}")
        rules = {
            "XDS_NODE_IDENTITIES": self.xds_node_identities,
            "XDS_OPERATOR_IDENTITIES": self.xds_operator_identities,
        }
        idle = [name for name, value in rules.items() if value and unset]
        if idle:
            raise ValueError(
                f"{idle[0]}: is about certificates, and in plain text there are none: set {', '.join(files)}"
            )
        return self

    @classmethod
    def read(cls, file: Path | None = None) -> "Settings":
        """Read the environment and `file`; raises `SettingsError` with every fault, led by its variable."""
        if file is not None and not file.is_file():
            raise SettingsError((f"settings file {file}: no such file",))
        if file is not None:
            check_lines(file)
        try:
            return cls(_env_file=file)  # type: ignore[call-arg]  # pydantic-settings adds the parameter
        except ValidationError as error:
            raise SettingsError(tuple(fault_text(fault) for fault in error.errors())) from None

    def require_channel(self) -> TlsFiles | None:
        """The files of TLS, None for plain text; raises `SettingsError` where plain text is not allowed."""
        if self.xds_tls_cert_file and self.xds_tls_key_file and self.xds_tls_client_ca_file:
            return TlsFiles(self.xds_tls_cert_file, self.xds_tls_key_file, self.xds_tls_client_ca_file)
        if self.xds_allow_plaintext or is_loopback(self.xds_listen.host):
            return None
        ways = (
            "set XDS_TLS_CERT_FILE, XDS_TLS_KEY_FILE and XDS_TLS_CLIENT_CA_FILE,"
            " or listen on 127.0.0.1, or set XDS_ALLOW_PLAINTEXT=yes"
        )
        raise SettingsError((f"XDS_LISTEN: refusing to serve plain text on {self.xds_listen}: {ways}",))
