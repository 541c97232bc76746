"""The kinds of resource, their order and their short names."""

import pytest

from xds.names import PUBLIC_TENANT, TypeUrl


def test_types_are_in_the_order_in_which_a_client_must_learn_of_them() -> None:
    assert [type_url.label for type_url in TypeUrl] == ["cds", "eds", "lds", "ecds", "rds", "srds"]


@pytest.mark.parametrize("type_url", TypeUrl)
def test_a_type_is_found_by_what_is_on_the_wire(type_url: TypeUrl) -> None:
    assert TypeUrl(str(type_url)) is type_url
    assert type_url.startswith("type.googleapis.com/envoy.config.")


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a valid TypeUrl"):
        TypeUrl("type.googleapis.com/envoy.config.cluster.v2.Cluster")


def test_the_public_tenant_is_what_the_edge_overwrites_a_clients_header_with() -> None:
    assert PUBLIC_TENANT == "-"
