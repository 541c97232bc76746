import importlib
from inspect import getmembers

import pytest

from xds.names import TypeUrl
from xds.server.services import ADS, SECRET, SERVICES, Service, settle
from xds.session import DeltaRequest, SotwRequest, Violated

ENVOYS = ("cluster", "discovery", "endpoint", "extension", "listener", "route", "runtime", "secret")


def in_envoys_words(package: str, service: str) -> set[str]:
    """The paths of a service's methods, as envoy-data-plane's own stubs have them."""
    module = importlib.import_module(f"envoy_data_plane.envoy.service.{package}.v3")
    bases = [each for name, each in getmembers(module) if name == f"{service}Base"]
    return set(bases[0]().__mapping__()) if bases else set()


@pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.short_name)
def test_names_of_services_and_methods_are_envoys_own(service: Service) -> None:
    package = service.name.split(".")[2]

    assert {f"/{service.name}/{method}" for method, _ in service.methods()} == in_envoys_words(
        package, service.short_name
    )


@pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.short_name)
def test_each_service_has_both_variants_and_each_of_one_type_a_fetch(service: Service) -> None:
    kinds = sorted(kind for _, kind in service.methods())

    assert kinds == (["delta", "sotw"] if service is ADS else ["delta", "fetch", "sotw"])


def test_every_type_that_we_have_has_a_service() -> None:
    assert {service.type_url for service in SERVICES} >= set(TypeUrl)


@pytest.mark.parametrize("request_of", [DeltaRequest, SotwRequest])
def test_a_service_of_one_type_implies_it(request_of: type[DeltaRequest | SotwRequest]) -> None:
    assert settle(request_of(type_url="", nonce="1"), SECRET) == request_of(type_url=SECRET, nonce="1")
    assert settle(request_of(type_url=SECRET), SECRET) == request_of(type_url=SECRET)


def test_a_service_of_one_type_speaks_of_no_other() -> None:
    settled = settle(SotwRequest(type_url=TypeUrl.CLUSTER), SECRET)

    assert settled == Violated(reason=f"this service speaks of {SECRET} only, the request says {TypeUrl.CLUSTER}")


def test_ads_speaks_of_every_type_and_implies_none() -> None:
    for type_url in ("", SECRET, TypeUrl.CLUSTER):
        assert settle(SotwRequest(type_url=type_url), None) == SotwRequest(type_url=type_url)
