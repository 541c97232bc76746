"""What a stream leaves in the logs and the metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.server.ads import VARIANTS, ControlPlane, Variant, client, until
from tests.integration.server.test_stream import is_gone
from tests.support.edge import GROUP, cell, tenant
from xds.names import TypeUrl

EVERY_LINE = {"node_id": "edge-1", "node_group": GROUP}

Lines = Sequence[Mapping[str, Any]]


def only(lines: Lines, event: str) -> Mapping[str, Any]:
    found = [line for line in lines if line["event"] == event]
    assert len(found) == 1, f"{len(found)} lines {event}"
    return found[0]


async def conversation(plane: ControlPlane, variant: Variant) -> Lines:
    """The lines of a stream that accepts one response and rejects another."""
    with capture_logs() as lines:
        async with client(plane, variant) as envoy:
            await envoy.open()
            await envoy.ack(await envoy.read())
            await plane.publish(cell(), cell("cell-b"), tenant())
            await envoy.nack(await envoy.read(), "no cell-b here")
            await envoy.next_is_only(TypeUrl.LISTENER)
            await envoy.close()
            await envoy.ending()
        await is_gone(plane)
    return lines


@pytest.mark.parametrize("variant", VARIANTS)
async def test_every_line_of_a_stream_says_whose_it_is(plane: ControlPlane, variant: Variant) -> None:
    lines = await conversation(plane, variant)

    assert {line["event"] for line in lines} == {
        "stream.opened",
        "session.responded",
        "session.acked",
        "session.nacked",
        "stream.ended",
    }
    for line in lines:
        assert line.items() >= EVERY_LINE.items()
        assert line["variant"] == variant
        assert line["stream_id"] == lines[0]["stream_id"]


@pytest.mark.parametrize("variant", VARIANTS)
async def test_every_line_about_a_response_carries_type_nonce_and_version(
    plane: ControlPlane, variant: Variant
) -> None:
    lines = await conversation(plane, variant)
    of_responses = [line for line in lines if line["event"].startswith("session.")]

    for line in of_responses:
        assert line["type_url"] in set(TypeUrl)
        assert line["nonce"]
        assert line["version"]
        assert line["snapshot"] in (1, 2)
    acked = only(lines, "session.acked")
    responded = next(line for line in of_responses if line["nonce"] == acked["nonce"])
    assert (responded["version"], responded["resources"], responded["removed"]) == (acked["version"], 1, 0)


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_rejection_is_an_error_with_the_clients_words_and_what_was_rejected(
    plane: ControlPlane, variant: Variant
) -> None:
    nacked = only(await conversation(plane, variant), "session.nacked")

    assert (nacked["log_level"], nacked["error"]) == ("error", "no cell-b here")
    assert "cell-b-api" in nacked["resource_names"]


async def test_a_streams_end_is_summed_up_in_one_line(plane: ControlPlane) -> None:
    ended = only(await conversation(plane, "delta"), "stream.ended")

    assert (ended["reason"], ended["text"]) == ("closed", "")
    assert ended["responses"] == {"cds": "2/1/1", "lds": "1/0/0"}


@pytest.mark.parametrize("type_url", ["event", "reason", "text", "exc_info", "level", ""])
async def test_a_type_that_a_client_made_up_is_no_key_of_the_log(plane: ControlPlane, type_url: str) -> None:
    with capture_logs() as lines:
        async with client(plane, "delta") as envoy:
            await envoy.open(type_url, resource_names_subscribe=["a"])
            await envoy.close()
            await envoy.ending()
        await is_gone(plane)

    ended = only(lines, "stream.ended")
    assert ended["reason"] == ("closed" if type_url else "refused")
    assert ended["responses"] == {type_url: "1/0/0" if type_url else "0/0/0"}
    assert plane.metric("streams_ended_total", reason="failed") == 0


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_client_that_is_gone_without_a_word_is_no_failure_of_ours(
    plane: ControlPlane, variant: Variant
) -> None:
    with capture_logs() as lines:
        async with client(plane, variant) as envoy:
            await envoy.open()
            await envoy.read()
        await is_gone(plane)

    # The end of its requests and the end of its stream come at once; whichever grpc tells first is the reason.
    reason = only(lines, "stream.ended")["reason"]
    assert reason in ("closed", "reset")
    assert plane.metric("streams_ended_total", reason=reason) == 1


async def test_an_old_nonce_is_noted(plane: ControlPlane) -> None:
    with capture_logs() as lines:
        async with client(plane, "delta") as envoy:
            await envoy.open()
            await envoy.send(response_nonce="4711")
            await envoy.read()
            await envoy.next_is_only(TypeUrl.LISTENER)

    ignored = only(lines, "session.ignored")
    assert (ignored["nonce"], ignored["type_url"]) == ("4711", TypeUrl.CLUSTER)


async def test_a_broken_rule_is_a_warning_that_names_it(plane: ControlPlane) -> None:
    with capture_logs() as lines:
        async with client(plane, "sotw") as envoy:
            await envoy.open("")
            await envoy.ending()
        await is_gone(plane)

    assert only(lines, "session.violated")["why"] == "a request on an aggregated stream must carry a type_url"
    assert only(lines, "stream.ended")["reason"] == "refused"


async def test_a_client_that_is_refused_at_once_is_noted_with_the_reason(plane: ControlPlane) -> None:
    with capture_logs() as lines:
        async with client(plane, "delta") as envoy:
            await envoy.send()
            await envoy.ending()
        await is_gone(plane)

    refused = only(lines, "stream.refused")
    assert (refused["reason"], refused["variant"]) == ("refused", "delta")
    assert "must carry a node" in refused["text"]


@pytest.mark.parametrize("variant", VARIANTS)
async def test_requests_responses_and_rejections_are_counted(plane: ControlPlane, variant: Variant) -> None:
    await conversation(plane, variant)

    kinds = {
        kind: plane.metric("requests_total", type="cds", variant=variant, kind=kind)
        for kind in ("subscribe", "ack", "nack")
    }
    assert kinds == {"subscribe": 1, "ack": 1, "nack": 1}
    assert plane.metric("responses_total", type="cds", variant=variant) == 2
    assert plane.metric("response_bytes_total", type="cds", variant=variant) > 0
    assert plane.metric("nacks_total", type="cds") == 1


@pytest.mark.parametrize("variant", VARIANTS)
async def test_the_time_to_an_acknowledgement_is_measured_for_pushes_only(
    plane: ControlPlane, variant: Variant
) -> None:
    async with client(plane, variant) as envoy:
        await envoy.open()
        await envoy.ack(await envoy.read())
        await envoy.next_is_only(TypeUrl.LISTENER)
        assert plane.metric("convergence_seconds_count", type="cds") == 0

        await plane.publish(cell(), cell("cell-b"), tenant())
        await envoy.ack(await envoy.read())
        await until(lambda: plane.metric("convergence_seconds_count", type="cds") == 1, "the push is measured")

    assert 0 <= plane.metric("convergence_seconds_sum", type="cds") < 10


async def test_open_streams_are_a_gauge(plane: ControlPlane) -> None:
    async with client(plane, "delta") as one, client(plane, "sotw") as other:
        for envoy in (one, other):
            await envoy.open()
            await envoy.read()
        assert (plane.metric("streams", variant="delta"), plane.metric("streams", variant="sotw")) == (1, 1)
    await is_gone(plane)
