"""Tokens and keys: whose tokens are taken, by which keys, what is checked of one, what we sign, how an API key looks.

Knows neither tenants' whereabouts nor how tokens come. `keeping` and `fetching` do I/O; the rest is pure but for the
randomness of a new key.
"""

from xds.tokens.apikey import digest, id_of, is_key, make_key, nobodys_digest
from xds.tokens.claims import claim_path
from xds.tokens.issuers import Issuer, read_issuers
from xds.tokens.signing import Issued, Signer, SigningKey, read_signing_key
from xds.tokens.verifier import Reason, Refused, TrustedIssuer, Verified, Verifier, find_claim

__all__ = [
    "Issued",
    "Issuer",
    "Reason",
    "Refused",
    "Signer",
    "SigningKey",
    "TrustedIssuer",
    "Verified",
    "Verifier",
    "claim_path",
    "digest",
    "find_claim",
    "id_of",
    "is_key",
    "make_key",
    "nobodys_digest",
    "read_issuers",
    "read_signing_key",
]
