"""The settings of the callout: whether there is one, and how it resolves session tokens.

A part of `xds.settings`, apart from it because it stands alone.
"""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from xds.settingvalues import Address, TenantResolution, has_port, is_loopback, read_address


class CalloutSettings(BaseSettings):
    """What `Settings` has of the callout; each field's variable is its name in capitals."""

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

    # Names of their own: a subclass's validator of the same name would take this one's place.
    _callout_addresses = field_validator("callout_address", mode="before")(read_address)
    _callout_ports = field_validator("callout_address")(has_port)

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
        if url.scheme == "http" and not is_loopback(url.hostname or ""):
            raise ValueError("expected https://, since tokens are sent there; http:// only on this machine")
        return value

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


def _has_good_port(url: SplitResult) -> bool:
    try:
        return url.port != 0
    except ValueError:
        return False
