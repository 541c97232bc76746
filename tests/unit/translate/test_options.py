import re
from dataclasses import fields, replace
from datetime import timedelta

import pytest

from tests.support.edge import GROUP, INTERNAL, edge_options
from xds.names import NodeGroup
from xds.translate import AuthOptions, ClusterOptions, ConnectionOptions


@pytest.mark.parametrize("missing", [{"issuer": ""}, {"audiences": ()}, {"jwks": ""}])
def test_options_with_which_envoy_would_not_check_tokens_are_refused(missing: dict[str, object]) -> None:
    given: dict[str, object] = {"issuer": "i", "audiences": ("a",), "jwks": "{}"}

    with pytest.raises(ValueError, match=re.escape("must not be empty: Envoy would not check them")):
        AuthOptions(**{**given, **missing})  # type: ignore[arg-type]  # any of three fields


@pytest.mark.parametrize("options", [ClusterOptions(), ConnectionOptions()])
def test_no_duration_is_below_what_can_be_encoded(options: ClusterOptions | ConnectionOptions) -> None:
    # betterproto2 writes negative durations wrong; Envoy refuses most zero ones.
    durations = [getattr(options, each.name) for each in fields(options)]

    assert all(each > timedelta(0) for each in durations if isinstance(each, timedelta))


def test_a_health_check_ends_before_the_next_begins() -> None:
    options = ClusterOptions()

    assert options.health_timeout < options.health_interval


def test_a_node_group_is_envoys_or_grpc_clients() -> None:
    with pytest.raises(ValueError, match=f"node group {GROUP} is gRPC clients' and can't be Envoys' too"):
        replace(edge_options(), grpc_group=GROUP)


@pytest.mark.parametrize("missing", ["certificate_file", "key_file", "ca_file", "allowed_sans"])
def test_an_internal_listener_that_would_let_anyone_in_is_refused(missing: str) -> None:
    with pytest.raises(ValueError, match="must not be empty: any caller would be let in"):
        replace(INTERNAL, **{missing: type(getattr(INTERNAL, missing))()})


def test_internal_listeners_groups_are_envoys_too() -> None:
    inside = NodeGroup("inside")
    options = edge_options(internal=replace(INTERNAL, listeners={inside: ("127.0.0.1", 1), GROUP: ("127.0.0.1", 2)}))

    assert options.groups == (GROUP, inside)
    with pytest.raises(ValueError, match="node group inside is gRPC clients'"):
        replace(options, grpc_group=inside)


def test_options_are_values() -> None:
    assert edge_options() == edge_options()
    assert replace(edge_options(), client=("host", 1)) != edge_options()
