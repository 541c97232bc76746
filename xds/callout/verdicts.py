"""What is known of a token: whose it is, that it is refused, or nothing for now. Pure."""

from dataclasses import dataclass
from math import inf
from typing import Literal

from xds.names import TenantId


@dataclass(frozen=True, slots=True)
class Admitted:
    """The token is a tenant's, and stays so until then, in seconds since the epoch."""

    tenant: TenantId
    until: float = inf


@dataclass(frozen=True, slots=True)
class Refused:
    """The token is not good; `reason` is what its bearer is told."""

    reason: str
    status: Literal[401, 403] = 401


@dataclass(frozen=True, slots=True)
class Undecided:
    """Nobody could say; `reason` is for operators. Never remembered, and never taken for a yes.

    `is_outage` unless it may be the doing of this token, which anybody may have sent.
    """

    reason: str
    is_outage: bool = False


Verdict = Admitted | Refused | Undecided

NO_TOKEN = Refused("a token is required")
INVALID = Refused("the token is unknown, expired or revoked")
