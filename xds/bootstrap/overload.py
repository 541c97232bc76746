"""What an Envoy does when its memory or its connections run out: the overload manager of its bootstrap.

Thresholds are shares of the heap limit. Nothing here is a runtime key, which an operator could lose.
"""

_HEAP = "envoy.resource_monitors.fixed_heap"
_CONNECTIONS = "envoy.resource_monitors.global_downstream_max_connections"

_SHRINK, _REFUSE = 0.95, 0.98
"""Envoy's own guide for an edge proxy ("Configuring Envoy as an edge proxy")."""

_RESET_FROM = 0.92
"""From here on to `_REFUSE` ever more of the streams that hold most are reset: a few clients that read nothing are
rather lost than everybody's new requests."""

_TRACKED_POWER = 14
"""Streams count from 16 KiB: with our buffers of 32 KiB and windows of 64 KiB, few come to a megabyte."""


def overload_manager(*, max_connections: int, max_heap_bytes: int) -> dict[str, object]:
    """Free memory, then reset the streams that hold most, then refuse requests; and never more connections."""
    return {
        "refresh_interval": "0.25s",
        "buffer_factory_config": {"minimum_account_to_track_power_of_two": _TRACKED_POWER},
        "resource_monitors": [
            _monitor(_HEAP, "fixed_heap.v3.FixedHeapConfig", max_heap_size_bytes=max_heap_bytes),
            _monitor(
                _CONNECTIONS,
                "downstream_connections.v3.DownstreamConnectionsConfig",
                max_active_downstream_connections=max_connections,
            ),
        ],
        "actions": [
            _action("shrink_heap", threshold={"value": _SHRINK}),
            _action(
                "reset_high_memory_stream",
                scaled={"scaling_threshold": _RESET_FROM, "saturation_threshold": _REFUSE},
            ),
            _action("stop_accepting_requests", threshold={"value": _REFUSE}),
        ],
    }


def _monitor(name: str, message: str, **limit: int) -> dict[str, object]:
    type_url = f"type.googleapis.com/envoy.extensions.resource_monitors.{message}"
    return {"name": name, "typed_config": {"@type": type_url, **limit}}


def _action(name: str, **trigger: object) -> dict[str, object]:
    return {"name": f"envoy.overload_actions.{name}", "triggers": [{"name": _HEAP, **trigger}]}
