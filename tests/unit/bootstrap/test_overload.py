from typing import Any

from xds.bootstrap.overload import overload_manager


def made() -> Any:
    return overload_manager(max_connections=7, max_heap_bytes=2**20)


def test_memory_and_connections_are_limited() -> None:
    limits = {each["name"].rpartition(".")[2]: each["typed_config"] for each in made()["resource_monitors"]}

    assert limits["fixed_heap"]["max_heap_size_bytes"] == 2**20
    assert limits["global_downstream_max_connections"]["max_active_downstream_connections"] == 7


def test_what_costs_least_is_done_first() -> None:
    actions = {each["name"].rpartition(".")[2]: each["triggers"] for each in made()["actions"]}
    (shrinks,), (resets,), (refuses,) = (
        actions[name] for name in ("shrink_heap", "reset_high_memory_stream", "stop_accepting_requests")
    )

    assert shrinks["threshold"]["value"] < refuses["threshold"]["value"] < 1
    assert resets["scaled"]["scaling_threshold"] < refuses["threshold"]["value"]
    assert {each["name"] for each in (shrinks, resets, refuses)} == {"envoy.resource_monitors.fixed_heap"}


def test_streams_are_tracked_so_that_they_can_be_reset() -> None:
    # Without it Envoy tracks none, and the action does nothing.
    assert made()["buffer_factory_config"]["minimum_account_to_track_power_of_two"] == 14
