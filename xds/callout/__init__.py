"""Session tokens that are no JWT: whose they are, by a table of hashes or by asking their issuer.

Answers for one token at a time, and never but by what one of the two said. Knows nothing about Envoy or gRPC, nor in
which cell a tenant lives, or whether there is such a tenant: its scope decides that.
"""

from xds.callout.introspection import Expected
from xds.callout.introspector import Endpoint, Introspector
from xds.callout.resolver import Resolver
from xds.callout.tokenfile import TokenFile
from xds.callout.verdicts import Admitted, Refused, Undecided, Verdict

__all__ = [
    "Admitted",
    "Endpoint",
    "Expected",
    "Introspector",
    "Refused",
    "Resolver",
    "TokenFile",
    "Undecided",
    "Verdict",
]
