"""The settings of placement: a part of `xds.settings`."""

from importlib.metadata import EntryPoint, entry_points

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

OWN_POLICIES = ("least-filled", "most-filled")

_GROUP = "alphaswarm_xds.placement_policies"
"""The entry points by which another package brings policies of its own."""


def brought_policies() -> dict[str, EntryPoint]:
    """The placement policies that installed packages bring, by name. Ours can't be replaced."""
    return {each.name: each for each in entry_points(group=_GROUP) if each.name not in OWN_POLICIES}


def expected_policies() -> str:
    """Every policy that there is, in words."""
    return " or ".join((*OWN_POLICIES, *sorted(brought_policies())))


class PlacementSettings(BaseSettings):
    """Where tenants are put that nobody names a cell for."""

    placement_policy: str = Field(
        default="least-filled",
        description="Which of the active shared cells that have room gets a tenant that no cell was named for:"
        " least-filled or most-filled, by their share of tenants to capacity, or what another package brings.",
    )

    @field_validator("placement_policy")
    @classmethod
    def _is_there(cls, value: str) -> str:
        if value not in OWN_POLICIES and value not in brought_policies():
            raise ValueError(f"expected {expected_policies()}, got {value!r}")
        return value
