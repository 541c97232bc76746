"""The bounds of a session that nobody configured are safe."""

from xds.session import Limits


def test_rule_36_a_response_stays_below_what_a_grpc_client_receives_by_default() -> None:
    assert 0 < Limits().response_bytes < 4 << 20


def test_rule_48_a_wait_is_over_well_before_a_client_gives_up_on_a_resource() -> None:
    assert 0 < Limits().wait_seconds <= 15 / 3


def test_a_client_may_ask_for_every_type_that_envoy_knows() -> None:
    assert Limits().types >= 12
