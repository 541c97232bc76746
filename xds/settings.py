"""Every setting: its variable, meaning, default and check.

Read once, by the command line, from the environment and an optional file of `NAME=value` lines (the
environment wins). Nothing else in the package reads the environment.
"""

import json
import re
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import SplitResult, urlsplit

from dotenv.parser import parse_stream
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from xds.errors import SettingsError

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?")  # a name, IPv4 or IPv6: no URL, no space
_PRIVATE = {"DATABASE_URL", "CALLOUT_INTROSPECTION_URL", "CALLOUT_INTROSPECTION_CLIENT_SECRET"}
"""Whose values no message shows."""

_PORT = re.compile(r"[0-9]{1,5}")


class CbaMode(StrEnum):
    """What becomes of a token that is bound to another cell: refused, only counted, or not looked at."""

    ENFORCE = "enforce"
    MONITOR = "monitor"
    OFF = "off"


class TenantResolution(StrEnum):
    """Who tells whose a token is: Envoy alone, or Envoy and, of tokens that are no JWT, this process."""

    ENVOY = "envoy"
    CALLOUT = "callout"


class Address(NamedTuple):
    """A host and a port, written `host:port`; port 0 lets the system choose."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `host:port` or `[v6]:port`; raises ValueError."""
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not _HOST.fullmatch(host) or not _PORT.fullmatch(port) or int(port) > 65535:
            raise ValueError(f"expected host:port with a port of 0 to 65535, got {text!r}")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(value: object) -> object:
    return Address.parse(value) if isinstance(value, str) else value


def _listeners(value: object) -> object:
    if not isinstance(value, str):
        return value
    listeners: dict[str, Address] = {}
    for item in filter(None, (item.strip() for item in value.split(","))):
        group, equals, address = item.partition("=")
        if not equals or not group or group in listeners:
            raise ValueError(f"expected group=host:port, each group once, separated by commas, got {item!r}")
        listeners[group] = Address.parse(address)
    return listeners


class Settings(BaseSettings):
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
        description="Where /readyz, /statusz, /healthz, /metrics and /manage/cells are served.",
    )
    shutdown_seconds: float = Field(
        default=5,
        ge=0,
        allow_inf_nan=False,
        description="Over how long streams are ended on shutdown, and how long it may take.",
    )

    auth_mode: Literal["required"] = Field(
        default="required",
        description="required: every request to a cell needs a valid token. (The only mode so far.)",
    )
    auth_issuer: str = Field(default="", description="The `iss` that tokens must carry. Required.")
    auth_audience: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="The `aud` values that tokens may carry, separated by commas. Required."
    )
    auth_jwks_file: Path | None = Field(
        default=None, description="A JWKS file with the issuer's public keys. Required."
    )
    auth_tenant_claim: str = Field(default="tenant_id", min_length=1, description="The claim that names the tenant.")
    auth_cell_claim: str = Field(default="cell", min_length=1, description="The claim that binds a token to a cell.")
    auth_clock_skew_seconds: int = Field(
        default=60, ge=0, le=600, description="How far a token's times may be off the edge's clock."
    )
    cba_mode: CbaMode = Field(
        default=CbaMode.ENFORCE,
        description="Cell-bound tokens used in another cell: enforce (403), monitor (count only) or off.",
    )

    tenant_resolution: TenantResolution = Field(
        default=TenantResolution.ENVOY,
        description="envoy: tokens are JWTs, and Envoys resolve them. callout: of a bearer token that is no JWT Envoys"
        " ask this process, which looks it up.",
    )
    callout_address: Annotated[Address | None, NoDecode] = Field(
        default=None,
        description="host:port at which Envoys ask; unset: the server that they have their config from.",
    )
    callout_timeout_ms: int = Field(
        default=200, ge=10, le=10_000, description="How long a callout may take; then the request is answered 503."
    )
    callout_tokens_file: Path | None = Field(
        default=None,
        description="Session tokens: JSON, or CSV if it ends so, with sha256 (of the token, hexadecimal), tenant and"
        " expires. Followed when it changes.",
    )
    callout_introspection_url: str = Field(
        default="",
        description="A token introspection endpoint (RFC 7662) to ask about tokens that are not in the file: https, or"
        " http on this machine.",
    )
    callout_introspection_client_id: str = Field(default="", description="Who we are at that endpoint.")
    callout_introspection_client_secret: SecretStr = Field(default=SecretStr(""), description="The secret of that.")
    callout_cache_seconds: float = Field(
        default=30,
        ge=0,
        le=3600,
        description="How long its answer is good, unless the token ends sooner; a refusal at most 5 s.",
    )

    edge_listeners: Annotated[dict[str, Address], NoDecode] = Field(
        default={"alphaswarm-edge": Address("0.0.0.0", 10000)},  # noqa: S104 -- the edge listens
        description="Node groups and where their Envoys listen: group=host:port, separated by commas."
        " A node's group is its `cluster`.",
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
    cell_health_path: str = Field(
        default="/healthz", pattern="^/", description="The path at which Envoys check a cell's endpoints."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe log line that is written."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="json, console, or auto: console on a terminal, json elsewhere."
    )

    _addresses = field_validator("xds_listen", "http_listen", "client_upstream", "callout_address", mode="before")(
        _address
    )
    _groups = field_validator("edge_listeners", mode="before")(_listeners)

    @field_validator("auth_audience", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, (v.strip() for v in value.split(",")))) if isinstance(value, str) else value

    @field_validator("client_upstream", "callout_address")
    @classmethod
    def _has_port(cls, value: Address | None) -> Address | None:
        if value is not None and not value.port:
            raise ValueError(f"expected host:port with a port of 1 to 65535, got {str(value)!r}")
        return value

    @field_validator("callout_introspection_url")
    @classmethod
    def _keeps_tokens_private(cls, value: str) -> str:
        if not value:
            return value
        # The value is not shown: it may hold a password.
        url = urlsplit(value)
        is_plain = url.hostname and url.username is None and not url.fragment and _has_good_port(url)
        if url.scheme not in ("https", "http") or not is_plain:
            raise ValueError("expected an https:// URL without a user, a password or a fragment")
        if url.scheme == "http" and not _is_loopback(url.hostname or ""):
            raise ValueError("expected https://, since tokens are sent there; http:// only on this machine")
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
        if self.grpc_node_group in self.edge_listeners:
            raise ValueError(f"GRPC_NODE_GROUP: {self.grpc_node_group} is a group of EDGE_LISTENERS; expected another")
        return self

    @model_validator(mode="after")
    def _can_resolve(self) -> Self:
        if self.tenant_resolution is TenantResolution.CALLOUT and not (
            self.callout_tokens_file or self.callout_introspection_url
        ):
            raise ValueError("TENANT_RESOLUTION: callout needs CALLOUT_TOKENS_FILE or CALLOUT_INTROSPECTION_URL")
        if bool(self.callout_introspection_client_id) != bool(self.callout_introspection_client_secret):
            raise ValueError(
                "CALLOUT_INTROSPECTION_CLIENT_ID: expected with CALLOUT_INTROSPECTION_CLIENT_SECRET, or neither of them"
            )
        return self

    @classmethod
    def read(cls, file: Path | None = None) -> "Settings":
        """Read the environment and `file`; raises `SettingsError` with every fault, led by its variable."""
        if file is not None and not file.is_file():
            raise SettingsError((f"settings file {file}: no such file",))
        if file is not None:
            _check_lines(file)
        try:
            return cls(_env_file=file)  # type: ignore[call-arg]  # pydantic-settings adds the parameter
        except ValidationError as error:
            raise SettingsError(tuple(_fault(fault) for fault in error.errors())) from None

    def require_auth(self) -> str:
        """The JWKS as JSON text; raises `SettingsError` unless tokens can be checked in full.

        Envoy does not check an empty issuer or audience, so serving without one would let any token in.
        """
        faults = [
            f"{name}: must be set while AUTH_MODE=required; refusing to serve an edge that cannot check tokens"
            for name, value in (
                ("AUTH_ISSUER", self.auth_issuer),
                ("AUTH_AUDIENCE", self.auth_audience),
                ("AUTH_JWKS_FILE", self.auth_jwks_file),
            )
            if not value
        ]
        if faults or self.auth_jwks_file is None:
            raise SettingsError(tuple(faults))
        return _read_jwks(self.auth_jwks_file)


def _has_good_port(url: SplitResult) -> bool:
    try:
        return url.port != 0
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_lines(file: Path) -> None:
    # pydantic-settings skips a line that it cannot read, which would leave a default in force unnoticed.
    try:
        with file.open(encoding="utf-8") as stream:
            lines = [
                read.original.line for read in parse_stream(stream) if read.error or (read.key and read.value is None)
            ]
    except OSError as error:
        raise SettingsError((f"settings file {file}: {error.strerror}",)) from None
    except UnicodeDecodeError:
        raise SettingsError((f"settings file {file}: expected UTF-8 text",)) from None
    if lines:
        raise SettingsError(tuple(f"settings file {file}, line {line}: expected NAME=value" for line in lines))


def _fault(fault: Any) -> str:  # noqa: ANN401 -- pydantic's error dictionary
    name = ".".join(str(part) for part in fault["loc"]).upper()
    message = fault["msg"].removeprefix("Value error, ")
    if not name:
        return str(message)
    if fault["type"] == "extra_forbidden":
        return f"{name}: no such setting"
    says_value = name in _PRIVATE or ", got " in message
    return f"{name}: {message}" if says_value else f"{name}: {message} (got {fault['input']!r})"


def _read_jwks(path: Path) -> str:
    try:
        text = path.read_text()
        keys = json.loads(text)["keys"]
    except OSError as error:
        raise SettingsError((f"AUTH_JWKS_FILE: cannot read {path}: {error.strerror}",)) from None
    except (ValueError, KeyError, TypeError):
        raise SettingsError((f'AUTH_JWKS_FILE: {path} is not a JWKS: expected JSON with "keys"',)) from None
    usable = isinstance(keys, list) and any(
        isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP") for key in keys
    )
    if not usable:
        raise SettingsError((f"AUTH_JWKS_FILE: {path} holds no RSA, EC or OKP public key",))
    private = [key for key in keys if isinstance(key, dict) and ("d" in key or key.get("kty") == "oct")]
    if private:
        raise SettingsError((f"AUTH_JWKS_FILE: {path} holds a private or symmetric key; it is sent to every Envoy",))
    return text
