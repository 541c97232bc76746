"""What an answer of a token introspection endpoint means (RFC 7662, section 2.2).

Pure. An answer that is not as it should be is no verdict about the token: its sender has a fault.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from xds.callout.verdicts import INVALID, Admitted, Refused, Undecided, Verdict
from xds.model import is_tenant_id
from xds.names import TenantId

_NO_TENANT = Refused("the token names no tenant", 403)
_OTHER_AUDIENCE = Refused("the token is for another audience", 403)
_BOUND = Refused("the token is bound to a cell, which can't be checked of a token like this", 403)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is demanded of an active token, and where its tenant is; a claim is the path to it.

    An audience is demanded of those tokens of which one is told. `cell_claim` is None unless a token that is bound to
    a cell may not be used in another: an Envoy tells that by a JWT's payload, and here there is none.
    """

    audiences: tuple[str, ...]
    tenant_claim: tuple[str, ...]
    cell_claim: tuple[str, ...] | None = None


def judge(body: bytes, expected: Expected, now: float) -> Verdict:
    """What follows from an answer."""
    try:
        answer = json.loads(body, parse_int=float)  # a number may be too large for a float
    except (ValueError, RecursionError):
        return Undecided("the answer is no JSON")
    if not isinstance(answer, dict) or not isinstance(answer.get("active"), bool):
        return Undecided("the answer does not say whether the token is active")
    if not answer["active"]:
        return INVALID
    times = [answer.get(name, default) for name, default in (("exp", inf), ("nbf", 0.0))]
    if not all(isinstance(time, float) for time in times):
        return Undecided("the answer's exp or nbf is no time")
    end, begin = times
    if not begin <= now < end or not _is_access_token(answer):
        return INVALID
    return _judge_claims(answer, expected, end)


def _judge_claims(answer: Mapping[str, object], expected: Expected, end: float) -> Verdict:
    audience = answer.get("aud")
    meant_for = audience if isinstance(audience, list) else [audience]
    if audience is not None and not any(each in meant_for for each in expected.audiences):
        return _OTHER_AUDIENCE
    tenant = _claim(answer, expected.tenant_claim)
    if not isinstance(tenant, str) or not is_tenant_id(tenant):
        return _NO_TENANT
    if expected.cell_claim is not None and _claim(answer, expected.cell_claim) is not None:
        return _BOUND
    return Admitted(TenantId(tenant), end)


def _is_access_token(answer: Mapping[str, object]) -> bool:
    """Whether it may open anything: some endpoints call a refresh token active too, and tell it by these."""
    kind, use = answer.get("token_type", "bearer"), answer.get("token_use", "access_token")
    return str(kind).lower() == "bearer" and use in ("access_token", "access")


def _claim(answer: object, path: tuple[str, ...]) -> object:
    for part in path:
        answer = answer.get(part) if isinstance(answer, dict) else None
    return answer
