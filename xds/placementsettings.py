"""The settings of placement: a part of `xds.settings`."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class PlacementSettings(BaseSettings):
    """Where tenants are put that nobody names a cell for."""

    placement_policy: Literal["least-filled", "most-filled"] = Field(
        default="least-filled",
        description="Which of the active shared cells that have room gets a tenant that no cell was named for:"
        " least-filled or most-filled, by their share of tenants to capacity.",
    )
