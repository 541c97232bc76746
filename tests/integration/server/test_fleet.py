import pytest

from tests.integration.server.ads import VARIANTS, ControlPlane, Variant, client, until
from tests.support.edge import GROUP, SHARED, cell, endpoint, tenant
from xds.names import NodeId, Nonce, ResourceName, TypeUrl
from xds.operations.status import NodeStatus, TypeStatus
from xds.server.fleet import Fleet, StreamRecord, TypeRecord
from xds.session import Nacked, Node
from xds.translate.naming import cell_cluster


def record(node_id: str) -> StreamRecord:
    return StreamRecord(Node(id=NodeId(node_id), group=GROUP), "delta", "ipv4:127.0.0.1:1", GROUP, connected_at=5.0)


def of_clusters(plane: ControlPlane) -> TypeStatus:
    """What the fleet knows of the only node's clusters."""
    (node,) = plane.fleet.nodes()
    (clusters,) = (each for each in node.types if each.label == "cds")
    return clusters


def test_an_open_stream_is_a_member_until_its_context_ends() -> None:
    fleet = Fleet()
    with fleet.member(record("b")), fleet.member(record("a")):
        assert [node.node_id for node in fleet.nodes()] == ["a", "b"]
    assert fleet.nodes() == ()


def test_a_member_leaves_when_its_stream_fails() -> None:
    fleet = Fleet()
    with pytest.raises(RuntimeError, match="on purpose"), fleet.member(record("a")):
        raise RuntimeError("on purpose")
    assert fleet.nodes() == ()


def test_one_node_with_two_streams_is_there_twice() -> None:
    fleet = Fleet()
    with fleet.member(record("a")), fleet.member(record("a")):
        assert len(fleet.nodes()) == 2


def test_a_stream_is_told_as_a_plain_value() -> None:
    held = record("a")
    held.of_type("type.googleapis.com/no.such.Type").subscribed = 2

    assert held.status() == NodeStatus(
        node_id=NodeId("a"),
        group=GROUP,
        variant="delta",
        peer="ipv4:127.0.0.1:1",
        user_agent="",
        connected_at=5.0,
        types=(TypeStatus(label="type.googleapis.com/no.such.Type", subscribed=2, sent=0, acked=0, nacked=0),),
    )


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_rejection_is_on_record_in_the_clients_words_until_it_accepts_again(
    plane: ControlPlane, variant: Variant
) -> None:
    async with client(plane, variant) as envoy:
        await envoy.open()
        await envoy.nack(await envoy.read(), "connect_timeout: value must be positive")
        await envoy.next_is_only(TypeUrl.LISTENER)

        refused = of_clusters(plane)
        assert (refused.sent, refused.acked, refused.nacked) == (1, 0, 1)
        assert refused.error == "connect_timeout: value must be positive"

        await plane.publish(cell(), cell("cell-b"), tenant())
        again = await envoy.read()
        assert again.type_url == TypeUrl.CLUSTER
        await envoy.ack(again)
        await until(lambda: of_clusters(plane).acked == 1, "the new content is acknowledged")

        accepted = of_clusters(plane)
        assert (accepted.sent, accepted.nacked, accepted.error) == (2, 1, "")
        assert accepted.version == (again.system_version_info if variant == "delta" else again.version_info)


@pytest.mark.parametrize("variant", VARIANTS)
async def test_what_was_rejected_is_not_sent_again_unchanged(plane: ControlPlane, variant: Variant) -> None:
    async with client(plane, variant) as envoy:
        await envoy.open()
        await envoy.nack(await envoy.read(), "no")

        await plane.publish(cell(), tenant(), tenant("b"))

        await envoy.next_is_only(TypeUrl.LISTENER)
        assert of_clusters(plane).sent == 1


async def test_a_rejection_without_words_says_so(plane: ControlPlane) -> None:
    async with client(plane, "delta") as envoy:
        await envoy.open()
        await envoy.nack(await envoy.read(), "")
        await until(lambda: of_clusters(plane).nacked == 1, "the rejection is on record")

        assert of_clusters(plane).error == "(no reason given)"


async def test_a_node_is_told_with_its_subscriptions(plane: ControlPlane) -> None:
    async with client(plane, "delta", node_id="edge-7") as envoy:
        await envoy.open()
        await envoy.read()
        await envoy.send(TypeUrl.ENDPOINT, resource_names_subscribe=["a", "b"])
        await envoy.read()

        (node,) = plane.fleet.nodes()
        assert (node.node_id, node.group, node.variant) == ("edge-7", GROUP, "delta")
        assert node.peer.startswith("ipv4:127.0.0.1:")
        assert {each.label: each.subscribed for each in node.types} == {"cds": None, "eds": 2}


def refused(error: str, *those: str) -> Nacked:
    return Nacked(
        type_url=TypeUrl.SCOPE,
        nonce=Nonce("1"),
        version_info="v",
        snapshot=1,
        error=error,
        changes=dict.fromkeys(map(ResourceName, those)),
    )


def test_each_name_has_the_words_of_its_own_rejection() -> None:
    history = TypeRecord()
    history.note(refused("first", "a", "b"))
    history.note(refused("second", "b", "c"))

    told = history.refusals_by_name()
    words = {name: refusal.error for name, refusal in told.items() if refusal}
    assert words == {"a": "first", "b": "second", "c": "second"}


def test_what_is_kept_of_rejections_is_bounded_and_the_newest_stands_for_the_rest() -> None:
    history = TypeRecord()
    for number in range(50):
        history.note(refused(f"error {number}", *(f"name-{each:05}" for each in range(1000))))

    assert sum(len(refusal.names) for refusal in history.refusals) <= 2000
    newest = history.refusals_by_name()[ResourceName("name-00999")]
    assert newest is not None
    assert newest.error == "error 49"


def test_without_a_rejection_no_name_has_words() -> None:
    assert TypeRecord().refusals_by_name()[ResourceName("a")] is None


CLUSTER = (TypeUrl.CLUSTER, cell_cluster(SHARED))


@pytest.mark.parametrize("variant", VARIANTS)
async def test_how_far_an_envoy_has_come_with_what_is_asked_about(plane: ControlPlane, variant: Variant) -> None:
    def progress() -> list[tuple[str, bool]]:
        return [(each.progress, each.has_acknowledged) for each in plane.fleet.standings([CLUSTER])]

    async with client(plane, variant, node_id="edge-7") as envoy:
        await envoy.open()
        first = await envoy.read()
        assert progress() == [("sent", False)]
        await envoy.ack(first)
        await until(lambda: progress() == [("acked", True)], "the acknowledgement is known")
        (standing,) = plane.fleet.standings([CLUSTER])
        assert (standing.node_id, standing.group) == ("edge-7", GROUP)
        assert plane.fleet.standings([(TypeUrl.SCOPE, ResourceName("acme"))]) == ()
        assert plane.fleet.standings([]) == ()
        await plane.publish(cell(endpoints=(endpoint("another.host:80"),)), tenant())
        await envoy.nack(await envoy.read(), "no")
        await until(lambda: progress() == [("nacked", False)], "the rejection is known")


def test_a_stream_that_has_asked_for_nothing_yet_stands_nowhere() -> None:
    fleet = Fleet()
    with fleet.member(record("a")):
        assert fleet.standings([CLUSTER]) == ()
