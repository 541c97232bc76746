"""Whose tokens are taken, and with which keys: issuers as they are configured, their JWKS as they are fetched.

Knows nothing about Envoy, nor about who checks the tokens.
"""

from xds.tokens.issuers import Issuer, read_issuers
from xds.tokens.keeping import Keys

__all__ = ["Issuer", "Keys", "read_issuers"]
