"""What a session token that is no JWT looks like, and the hash by which it is known.

The same pattern is used by Envoy, to tell such tokens from JWTs, and by us, who look them up. Pure.
"""

import hashlib
import re
from typing import NewType

Digest = NewType("Digest", bytes)
"""The SHA-256 of a token. A token itself is kept nowhere and written nowhere."""

OPAQUE_BEARER = r"Bearer [A-Za-z0-9_~+/-]+(\.[A-Za-z0-9_~+/-]+)?=*"
"""The whole `authorization` header of a request with such a token, for RE2 and Python alike.

RFC 6750, section 2.1, with one dot at most: a JWT has two, a JWE four. Envoy joins what is sent in two headers by a
comma, which this does not match: two tokens are never one.
"""

_HEADER = re.compile(OPAQUE_BEARER, re.ASCII)
_SCHEME = "Bearer "
_LONGEST = 4096


def opaque_token(authorization: str) -> str | None:
    """The token of such a header; None if there is none, or it may be a JWT, or is too long to be a session's."""
    if len(authorization) > _LONGEST or not _HEADER.fullmatch(authorization):
        return None
    return authorization.removeprefix(_SCHEME)


def digest(token: str) -> Digest:
    """The hash by which a token is known."""
    return Digest(hashlib.sha256(token.encode()).digest())
