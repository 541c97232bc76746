"""What is counted comes out as Prometheus reads it, with few label values."""

import re
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from xds.names import TypeUrl
from xds.telemetry import Metrics
from xds.telemetry.metrics import Exchanged, Validated

_LABELS = {"variant", "type", "kind", "reason", "state", "version", "auth_mode", "cba_mode", "le", "outcome", "source"}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def _sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            if sample.name == f"alphaswarm_xds_{name}" and sample.labels == labels:
                return float(sample.value)
    return None


def _exercised(metrics: Metrics) -> Metrics:
    metrics.set_info(version="0.2.0", auth_mode="required", cba_mode="enforce", http_auth="loopback")
    metrics.set_resources({TypeUrl.SCOPE: 24})
    metrics.set_cells({"active": 3})
    metrics.open_stream("delta")
    metrics.end_stream("delta", "closed")
    metrics.observe_callout("admitted", 0.001)
    metrics.count_lookup("cache")
    for type_url in TypeUrl:
        metrics.count_request(type_url, "delta", "subscribe")
        metrics.count_response(type_url, "delta", 10)
        metrics.observe_convergence(type_url, 0.001)
    return metrics


def test_streams_are_those_opened_and_not_ended(metrics: Metrics) -> None:
    metrics.open_stream("delta")
    metrics.open_stream("delta")
    metrics.open_stream("sotw")
    metrics.end_stream("delta", "reset")

    assert _sample(metrics, "streams", variant="delta") == 1
    assert _sample(metrics, "streams", variant="sotw") == 1
    assert _sample(metrics, "streams_ended_total", reason="reset") == 1


def test_requests_are_counted_by_type_variant_and_kind(metrics: Metrics) -> None:
    metrics.count_request(TypeUrl.CLUSTER, "delta", "subscribe")
    metrics.count_request(TypeUrl.CLUSTER, "delta", "ack")
    metrics.count_request(TypeUrl.CLUSTER, "delta", "ack")

    assert _sample(metrics, "requests_total", type="cds", variant="delta", kind="ack") == 2
    assert _sample(metrics, "nacks_total", type="cds") == 0


def test_a_nack_is_a_request_and_a_nack(metrics: Metrics) -> None:
    metrics.count_request(TypeUrl.ROUTE, "sotw", "nack")

    assert _sample(metrics, "requests_total", type="rds", variant="sotw", kind="nack") == 1
    assert _sample(metrics, "nacks_total", type="rds") == 1


def test_a_type_that_is_not_served_has_one_label_for_all(metrics: Metrics) -> None:
    metrics.count_request(None, "delta", "subscribe")
    metrics.count_response(None, "delta", 2)

    assert _sample(metrics, "response_bytes_total", type="other", variant="delta") == 2
    assert _sample(metrics, "requests_total", type="other", variant="delta", kind="subscribe") == 1


def test_responses_are_counted_with_their_bytes(metrics: Metrics) -> None:
    metrics.count_response(TypeUrl.ENDPOINT, "delta", 100)
    metrics.count_response(TypeUrl.ENDPOINT, "delta", 23)

    assert _sample(metrics, "responses_total", type="eds", variant="delta") == 2
    assert _sample(metrics, "response_bytes_total", type="eds", variant="delta") == 123


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0004, "0.0005"), (0.0009, "0.001"), (29.0, "30.0")])
def test_convergence_has_buckets_from_half_a_millisecond(metrics: Metrics, seconds: float, bucket: str) -> None:
    metrics.observe_convergence(TypeUrl.SCOPE, seconds)

    assert _sample(metrics, "convergence_seconds_bucket", type="srds", le=bucket) == 1
    assert _sample(metrics, "convergence_seconds_count", type="srds") == 1


def test_callouts_are_counted_by_what_became_of_them_and_who_knew(metrics: Metrics) -> None:
    metrics.observe_callout("refused", 0.0002)
    metrics.observe_callout("admitted", 0.3)
    metrics.count_lookup("table")
    metrics.callout_suspended.set(1)

    assert _sample(metrics, "callout_seconds_bucket", outcome="refused", le="0.00025") == 1
    assert _sample(metrics, "callout_seconds_count", outcome="admitted") == 1
    assert _sample(metrics, "callout_lookups_total", source="table") == 1
    assert _sample(metrics, "callout_suspended") == 1


def test_publishes_have_a_time_and_a_size(metrics: Metrics) -> None:
    metrics.publishes.inc()
    metrics.publish_seconds.observe(0.0009)
    metrics.publish_changes.observe(1)

    assert _sample(metrics, "publishes_total") == 1
    assert _sample(metrics, "publish_seconds_bucket", le="0.001") == 1
    assert _sample(metrics, "publish_seconds_bucket", le="10.0") == 1
    assert _sample(metrics, "publish_changes_bucket", le="0.0") == 0
    assert _sample(metrics, "publish_changes_bucket", le="1.0") == 1


def test_gauges_are_what_was_last_set(metrics: Metrics) -> None:
    for name in ("snapshot", "registry_revision", "registry_connected", "problems", "tenants"):
        getattr(metrics, name).set(7)
        getattr(metrics, name).set(5)
        assert _sample(metrics, name) == 5


def test_a_type_without_resources_has_none(metrics: Metrics) -> None:
    metrics.set_resources({TypeUrl.CLUSTER: 3, TypeUrl.SCOPE: 24})
    metrics.set_resources({TypeUrl.CLUSTER: 4})

    assert _sample(metrics, "resources", type="cds") == 4
    assert _sample(metrics, "resources", type="srds") == 0


def test_cells_are_counted_by_state_and_a_state_left_out_has_none(metrics: Metrics) -> None:
    metrics.set_cells({"active": 3, "draining": 1})
    metrics.set_cells({"active": 4})

    assert _sample(metrics, "cells", state="active") == 4
    assert _sample(metrics, "cells", state="draining") == 0


def test_the_newest_rollout_is_in_one_state(metrics: Metrics) -> None:
    metrics.set_rollout("running", wave=1, nodes=1)
    metrics.set_rollout("done", wave=3, nodes=7)

    assert [_sample(metrics, "rollout", state=each) for each in ("pending", "running", "done", "stopped")] == [
        0,
        0,
        1,
        0,
    ]
    assert (_sample(metrics, "rollout_wave"), _sample(metrics, "rollout_nodes")) == (3, 7)


def test_reconnects_are_counted(metrics: Metrics) -> None:
    metrics.registry_reconnects.inc()

    assert _sample(metrics, "registry_reconnects_total") == 1


def test_the_info_has_the_version_and_the_modes(metrics: Metrics) -> None:
    metrics.set_info(version="0.2.0", auth_mode="required", cba_mode="enforce", http_auth="loopback")

    assert _sample(metrics, "info", version="0.2.0", auth_mode="required", cba_mode="enforce") == 1


def test_two_systems_in_one_process_count_apart(metrics: Metrics) -> None:
    metrics.publishes.inc()

    assert _sample(Metrics(), "publishes_total") == 0


def test_what_became_of_keys_and_tokens_is_there_from_the_start(metrics: Metrics) -> None:
    metrics.count_exchange("denied")
    metrics.count_validation("allowed")

    outcomes = {name: _sample(metrics, "token_exchanges_total", outcome=name) for name in get_args(Exchanged)}
    assert outcomes == {"granted": 0, "denied": 1, "limited": 0, "failed": 0}
    questions = {name: _sample(metrics, "token_validations_total", outcome=name) for name in get_args(Validated)}
    assert questions == {"allowed": 1, "refused": 0, "limited": 0}


def test_every_metric_of_ours_has_the_prefix_and_a_meaning(metrics: Metrics) -> None:
    families = list(text_string_to_metric_families(_exercised(metrics).render().decode()))

    for family in families:
        assert re.match(r"alphaswarm_xds_|process_", family.name)
        assert family.documentation


def test_every_label_is_one_that_has_few_values(metrics: Metrics) -> None:
    families = text_string_to_metric_families(_exercised(metrics).render().decode())

    assert {label for family in families for sample in family.samples for label in sample.labels} == _LABELS


def test_the_media_type_is_prometheus_text() -> None:
    assert Metrics.content_type == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize(("mode", "required"), [("required", 1), ("optional", 0), ("off", 0)])
def test_whether_every_request_needs_a_token_is_a_metric(metrics: Metrics, mode: str, required: int) -> None:
    metrics.set_info(version="0.2.0", auth_mode=mode, cba_mode="enforce", http_auth="loopback")

    assert _sample(metrics, "tokens_required") == required


@pytest.mark.parametrize(("mode", "required"), [("token", 1), ("loopback", 1), ("off", 0)])
def test_whether_operators_need_a_token_is_a_metric(metrics: Metrics, mode: str, required: int) -> None:
    metrics.set_info(version="0.2.0", auth_mode="required", cba_mode="enforce", http_auth=mode)

    assert _sample(metrics, "operator_tokens_required") == required
