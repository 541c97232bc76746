"""Topology to Envoy resources, with envoy-data-plane's messages.

Pure. What cannot be translated is a `Problem` in the result; the rest is translated all the same.
"""

from xds.translate.addresses import addresses
from xds.translate.authentication import TENANT_HEADER
from xds.translate.canary import CanaryOptions
from xds.translate.displacing import displaced, has_routes, takes_tenants, tenants_by_cell, tenants_in
from xds.translate.grace import grace_end
from xds.translate.options import (
    AuthMode,
    AuthOptions,
    CalloutOptions,
    CellBound,
    ClusterOptions,
    ConnectionOptions,
    EdgeOptions,
    InternalOptions,
    IssuerOptions,
    ObservationOptions,
    OperatorOptions,
    TenantOptions,
)
from xds.translate.problems import Problem
from xds.translate.reading import jwks_of
from xds.translate.translation import Translation, retranslate, token_checks, translate, with_keys

__all__ = [
    "TENANT_HEADER",
    "AuthMode",
    "AuthOptions",
    "CalloutOptions",
    "CanaryOptions",
    "CellBound",
    "ClusterOptions",
    "ConnectionOptions",
    "EdgeOptions",
    "InternalOptions",
    "IssuerOptions",
    "ObservationOptions",
    "OperatorOptions",
    "Problem",
    "TenantOptions",
    "Translation",
    "addresses",
    "displaced",
    "grace_end",
    "has_routes",
    "jwks_of",
    "retranslate",
    "takes_tenants",
    "tenants_by_cell",
    "tenants_in",
    "token_checks",
    "translate",
    "with_keys",
]
