"""The settings of the manifests."""

import pytest

from tests.deployments.manifests import OVERLAYS, Manifests, bases, built


@pytest.fixture(scope="module", params=["bases", *OVERLAYS])
def manifests(request: pytest.FixtureRequest) -> Manifests:
    """Each setting in turn."""
    return bases() if request.param == "bases" else built(request.param)
