"""Tokens and keys: what is checked of a token, what we sign ourselves, and how an API key looks.

Pure but for the randomness of a new key. Knows neither tenants' whereabouts nor how tokens come.
"""

from xds.tokens.apikey import digest, id_of, is_key, make_key, nobodys_digest
from xds.tokens.signing import Issued, Signer, SigningKey, read_signing_key
from xds.tokens.verifier import Reason, Refused, TrustedIssuer, Verified, Verifier, find_claim

__all__ = [
    "Issued",
    "Reason",
    "Refused",
    "Signer",
    "SigningKey",
    "TrustedIssuer",
    "Verified",
    "Verifier",
    "digest",
    "find_claim",
    "id_of",
    "is_key",
    "make_key",
    "nobodys_digest",
    "read_signing_key",
]
