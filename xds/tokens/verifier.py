"""Checks a token the way the edge's Envoys are told to, and says why not.

Pure: the time is an argument, and a bad token is a value, not an exception. The rules are those of Envoy's
jwt_authn filter as `xds.translate.authentication` configures it, in the filter's own order; a test holds them
against the real one. Must not know what a token is good for.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import jwt
from jwt.api_jws import PyJWS

from xds.tokens.claims import claim_path
from xds.tokens.publickeys import PublicKey, read_jwks

LONGEST_TOKEN = 60 * 1024
"""Characters of a token at most: a request's headers have no more room in Envoy (max_request_headers_kb)."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_MOST_SECONDS = 2**64

Claims = Mapping[str, object]


class Reason(StrEnum):
    """Why a token is refused, in words for whoever sent it."""

    TOO_LONG = "the token is too long"
    MALFORMED = "the token is not a signed JWT"
    ISSUER = "the token's issuer is not trusted"
    NO_EXPIRY = "the token has no expiry"
    NOT_YET = "the token is not valid yet"
    EXPIRED = "the token has expired"
    AUDIENCE = "the token is for another audience"
    SIGNATURE = "no key of the issuer's verifies the token's signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """Whose tokens are accepted, and where they say what matters. `jwks` is JSON text.

    Nothing may be empty: what is, Envoy would not check.
    """

    issuer: str
    audiences: tuple[str, ...]
    jwks: str
    tenant_claim: str = "tenant_id"
    cell_claim: str = "cell"
    clock_skew_seconds: int = 60
    operators: bool = False
    """Whether its tokens may be an operator's; of no account to the verifier."""

    def __post_init__(self) -> None:
        if not (self.issuer and self.audiences and all(self.audiences)):
            raise ValueError("issuer and audiences must not be empty: Envoy would not check them")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A token that holds.

    `tenant` is empty if it names none. `cell` is None if it is bound to none, and empty if it is bound to what is no
    cell's id.
    """

    issuer: str
    claims: Claims
    tenant: str
    cell: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A token that does not hold."""

    reason: Reason


class Verifier:
    """Checks tokens of these issuers, each of which is named once."""

    def __init__(self, issuers: Iterable[TrustedIssuer]) -> None:
        self.trust(issuers)

    def trust(self, issuers: Iterable[TrustedIssuer]) -> None:
        """Accept the tokens of these issuers, by these keys, and no others. Raises ValueError, with nothing changed."""
        trusted: dict[str, tuple[TrustedIssuer, tuple[PublicKey, ...]]] = {}
        for each in issuers:
            if each.issuer in trusted:
                raise ValueError(f"issuer {each.issuer}: expected once")
            trusted[each.issuer] = (each, read_jwks(each.jwks))
        self._issuers = trusted

    def verify(self, token: str, now: float) -> Verified | Refused:
        """What `token` says, if it holds at `now` (seconds since the epoch)."""
        if len(token) > LONGEST_TOKEN:
            return Refused(Reason.TOO_LONG)
        parsed = _parse(token)
        if parsed is None:
            return Refused(Reason.MALFORMED)
        header, claims, signature = parsed
        found = self._issuers.get(str(claims.get("iss", "")))
        if found is None:
            return Refused(Reason.ISSUER)
        trusted, keys = found
        refusal = _time_refusal(claims, int(now), trusted.clock_skew_seconds)
        if refusal is None and not _is_for(claims.get("aud", ()), trusted.audiences):
            refusal = Reason.AUDIENCE
        if refusal is None and not _is_signed(token, header, signature, keys):
            refusal = Reason.SIGNATURE
        return _verified(trusted, claims) if refusal is None else Refused(refusal)


def find_claim(claims: Claims, name: str) -> tuple[object, ...]:
    """The value of a claim, alone in a tuple, or an empty one; `name` as in a setting (`claim_path`)."""
    value: object = claims
    for key in claim_path(name):
        if not isinstance(value, Mapping) or key not in value:
            return ()
        value = value[key]
    return (value,)


def _parse(token: str) -> tuple[Claims, Claims, bytes] | None:
    """Header, payload and signature; None for what is no JWT."""
    if not _COMPACT.fullmatch(token):
        return None  # Python's base64 would skip what is none
    try:
        parts = PyJWS().decode_complete(token, options={"verify_signature": False})
        claims = json.loads(parts["payload"].decode(), parse_constant=_refuse_constant)
    except (jwt.PyJWTError, ValueError, RecursionError):  # the last: brackets without end
        return None
    return (parts["header"], claims, parts["signature"]) if isinstance(claims, dict) and _is_typed(claims) else None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _is_typed(claims: Claims) -> bool:
    """Whether the registered claims have their types (RFC 7519, section 4.1): Envoy takes it for malformed else."""
    texts = all(isinstance(claims.get(name, ""), str) for name in ("iss", "sub", "jti"))
    times = all(_is_time(claims.get(name, 0)) for name in ("iat", "nbf", "exp"))
    audiences = claims.get("aud", "")
    is_list = isinstance(audiences, list) and all(isinstance(each, str) for each in audiences)
    return texts and times and (is_list or isinstance(audiences, str))


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MOST_SECONDS


def _time_refusal(claims: Claims, now: int, skew: int) -> Reason | None:
    begin, end = _seconds(claims, "nbf"), _seconds(claims, "exp")
    if now + skew < begin:
        return Reason.NOT_YET
    if not end:
        return Reason.NO_EXPIRY
    return Reason.EXPIRED if now > end + skew else None


def _seconds(claims: Claims, name: str) -> int:
    value = claims.get(name, 0)
    assert isinstance(value, int | float)  # `_is_typed` has seen to it
    return int(value)


def _is_for(audiences: object, allowed: Iterable[str]) -> bool:
    named = [audiences] if isinstance(audiences, str) else audiences
    assert isinstance(named, list | tuple)  # `_is_typed` has seen to it
    return not {_bare(each) for each in named}.isdisjoint(map(_bare, allowed))


def _bare(audience: str) -> str:
    """An audience without scheme and last slash: jwt_verify_lib, Envoy's library, compares them so."""
    return re.sub(r"\Ahttps?://", "", audience).removesuffix("/")


def _is_signed(token: str, header: Claims, signature: bytes, keys: Iterable[PublicKey]) -> bool:
    algorithm, key_id = header.get("alg"), header.get("kid")
    signed = token.rpartition(".")[0].encode()
    return any(key.is_meant(algorithm, key_id) and key.has_signed(signed, signature, str(algorithm)) for key in keys)


def _verified(trusted: TrustedIssuer, claims: Claims) -> Verified:
    bound = find_claim(claims, trusted.cell_claim)
    cell = None if bound in ((), (None,), ("",)) else bound[0] if isinstance(bound[0], str) else ""
    tenant = "".join(map(_header_text, find_claim(claims, trusted.tenant_claim)))
    return Verified(issuer=trusted.issuer, claims=claims, tenant=tenant, cell=cell)


def _header_text(value: object) -> str:
    """A claim as Envoy writes it into a header; nothing for what can be no tenant's id."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return value if isinstance(value, str) else ""
