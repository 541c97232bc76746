from envoy_data_plane.envoy.config.route.v3 import (
    ScopedRouteConfiguration,
    ScopedRouteConfigurationKey,
    ScopedRouteConfigurationKeyFragment,
)
from hypothesis import given
from hypothesis import strategies as st

from xds.names import ResourceName, TypeUrl
from xds.snapshot import Ref, encode_resource
from xds.translate import scopes

NAMES = st.text(min_size=1, max_size=300).map(ResourceName)


def by_library(name: str, routes: str, *key: str) -> bytes:
    fragments = [ScopedRouteConfigurationKeyFragment(string_key=each) for each in key]
    return bytes(
        ScopedRouteConfiguration(
            name=name, route_configuration_name=routes, key=ScopedRouteConfigurationKey(fragments=fragments)
        )
    )


@given(NAMES, NAMES, NAMES)
def test_a_hand_joined_scope_equals_the_librarys_byte_for_byte(
    name: ResourceName, routes: ResourceName, key: str
) -> None:
    assert scopes.scope(name, routes, key) == by_library(name, routes, key)


@given(NAMES)
def test_a_hand_joined_anchor_equals_the_librarys_byte_for_byte(routes: ResourceName) -> None:
    anchor = scopes.anchor(encode_resource(routes, b""))

    assert anchor.body == by_library(f"-/{routes}", routes, "-", routes)


def test_an_anchors_key_has_more_fragments_than_a_request_can_build() -> None:
    key = ScopedRouteConfiguration.parse(scopes.anchor(encode_resource(ResourceName("cell-a"), b"")).body).key

    assert key is not None
    assert len(key.fragments) == 2


def test_an_anchor_awaits_its_route_table() -> None:
    anchor = scopes.anchor(encode_resource(ResourceName("cell-a"), b""))

    assert anchor.name == "-/cell-a"
    assert anchor.awaits == (Ref(TypeUrl.ROUTE, ResourceName("cell-a")),)
    assert anchor.needs == ()
