"""Encoded resources as JSON for people."""

import json
from typing import Any, cast

import pytest

from tests.support.edge import INTERNAL, cell, edge_options, tenant, topology
from xds.names import ResourceName, TypeUrl
from xds.translate import CalloutOptions, Translation, translate
from xds.translate.reading import to_json

OPTIONS = edge_options(client=("client", 3000), callout=CalloutOptions(), internal=INTERNAL)


@pytest.fixture(scope="module")
def translation() -> Translation:
    return translate(topology(cell(), tenant()), OPTIONS)


def read(of: Translation, type_url: TypeUrl, name: str) -> Any:
    """One resource of the first group."""
    snapshot = next(iter(of.snapshots(1).values()))
    resource = snapshot.table(type_url).get(ResourceName(name))
    assert resource is not None
    return to_json(type_url, resource.body)


def test_every_resource_can_be_read_under_its_own_name(translation: Translation) -> None:
    for place, resource in translation.content.items():
        shown = cast("dict[str, Any]", to_json(TypeUrl(place.type_url), resource.body))
        assert resource.name in (shown.get("name"), shown.get("cluster_name"))
        assert json.loads(json.dumps(shown)) == shown


def test_fields_have_the_names_that_envoy_gives_them(translation: Translation) -> None:
    shown = read(translation, TypeUrl.SCOPE, "acme")

    assert shown == {
        "name": "acme",
        "route_configuration_name": "cell-shared-std-local",
        "key": {"fragments": [{"string_key": "acme"}]},
    }


def test_what_is_inside_an_any_is_shown_too(translation: Translation) -> None:
    listener = read(translation, TypeUrl.LISTENER, "edge")
    (manager,) = listener["filter_chains"][0]["filters"]

    assert manager["name"] == "envoy.filters.network.http_connection_manager"
    assert "http_filters" in json.dumps(manager["typed_config"])
    assert "type.googleapis.com" in json.dumps(manager["typed_config"])
