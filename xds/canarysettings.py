"""The settings of the cutover and of what the edge tells about requests: the canary, traces, access logs.

A part of `xds.settings`, apart from it because it stands alone.
"""

import re
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from xds.calloutsettings import CalloutSettings
from xds.settingvalues import Address, has_port, read_address, read_items

_SHARE = re.compile(r"([^=]+)=([0-9]{1,3})")


class CanarySettings(CalloutSettings):
    """What `Settings` has of these; each field's variable is its name in capitals."""

    legacy_upstream: Annotated[Address | None, NoDecode] = Field(
        default=None,
        description="host:port of the legacy proxy, which serves the tenants that the canary leaves it; unset: none.",
    )
    canary_weight: int = Field(
        default=100,
        ge=0,
        le=100,
        description="Percent of the tenants that go to their cells; the rest to the legacy proxy.",
    )
    canary_cells: Annotated[dict[str, int], NoDecode] = Field(
        default={}, description="Other percentages for the tenants of some cells: cell-a=50, separated by commas."
    )
    canary_tenants: Annotated[dict[str, int], NoDecode] = Field(
        default={},
        description="Tenants that go to their cell (acme=100) or to the legacy proxy (acme=0) whatever the percentages"
        " say, separated by commas.",
    )

    tracing_collector: Annotated[Address | None, NoDecode] = Field(
        default=None, description="host:port of an OpenTelemetry collector that Envoys send spans to (OTLP by gRPC)."
    )
    tracing_sample_percent: float = Field(
        default=1, ge=0, le=100, allow_inf_nan=False, description="Percent of the requests that are traced."
    )
    access_log: bool = Field(
        default=False, description="Whether Envoys write a line of JSON for each request, on their standard output."
    )

    _observed_address = field_validator("legacy_upstream", "tracing_collector", mode="before")(read_address)
    _observed_port = field_validator("legacy_upstream", "tracing_collector")(has_port)

    @field_validator("canary_cells", "canary_tenants", mode="before")
    @classmethod
    def _are_shares(cls, value: object) -> object:
        items = read_items(value)
        if not isinstance(value, str) or not isinstance(items, tuple):
            return value
        shares: dict[str, int] = {}
        for item in items:
            match = _SHARE.fullmatch(item)
            if match is None or int(match[2]) > 100 or match[1] in shares:
                raise ValueError(f"expected name=percent, 0 to 100, each name once, separated by commas, got {item!r}")
            shares[match[1]] = int(match[2])
        return shares

    @field_validator("canary_tenants")
    @classmethod
    def _are_at_one_side(cls, value: dict[str, int]) -> dict[str, int]:
        between = [f"{tenant}={share}" for tenant, share in value.items() if share not in (0, 100)]
        if between:
            raise ValueError(f"a tenant is at one side: expected 0 or 100, got {between[0]!r}")
        return value

    @model_validator(mode="after")
    def _has_other_side(self) -> Self:
        leaves = {
            "CANARY_WEIGHT": self.canary_weight < 100,
            "CANARY_CELLS": any(share < 100 for share in self.canary_cells.values()),
            "CANARY_TENANTS": not all(self.canary_tenants.values()),
        }
        lost = [name for name, leaves_some in leaves.items() if leaves_some and self.legacy_upstream is None]
        if lost:
            raise ValueError(f"{lost[0]}: leaves tenants to the legacy proxy: LEGACY_UPSTREAM must be set")
        return self
