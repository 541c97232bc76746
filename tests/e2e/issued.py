"""A running system whose control plane fetches its issuer's keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.e2e.conftest import Variant
from tests.support.issuing import JwksEndpoint, jwks_endpoint
from tests.support.plans import planned
from xds.demo.stack import Stack

OVERLAP = 3.0
"""Seconds for which a withdrawn key is still accepted."""


@asynccontextmanager
async def running(variant: Variant, **environment: str) -> AsyncIterator[tuple[Stack, JwksEndpoint]]:
    """A system whose control plane fetches the keys of its issuer over HTTP, twice a second."""
    stacks: list[Stack] = []

    def jwks() -> str:
        return stacks[0].idp.jwks()

    async with jwks_endpoint(jwks) as endpoint:
        settings = {
            "AUTH_JWKS_FILE": "",
            "AUTH_JWKS_URL": endpoint.url,
            "AUTH_JWKS_REFRESH_SECONDS": "0.5",
            "AUTH_JWKS_OVERLAP_SECONDS": str(OVERLAP),
            **environment,
        }
        stacks.append(Stack(await planned(variant=variant, tenants=6, environment=settings)))
        async with stacks[0] as stack:
            yield stack, endpoint
