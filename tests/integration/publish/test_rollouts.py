"""Changes of structure on a real PostgreSQL: rolled back, held, in manual mode; who is in the fleet is only said."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncpg

from tests.support.deciding import ANN, NEW_KEYS, acted, candidate, entries
from tests.support.edge import GROUP, edge_options
from tests.support.publishing import Replica, replica, seeded
from xds.names import NodeGroup, NodeId, TypeUrl
from xds.operations import rollouts
from xds.operations import snapshots as operations
from xds.operations.fleet import FleetNode
from xds.operations.fleet import Replica as Reporting
from xds.publish import Mode, Rollout, RolloutState, Waves
from xds.publish.rolling import RolloutPlan
from xds.publish.structure import structure_of
from xds.session import Node
from xds.snapshot import Snapshot
from xds.translate import EdgeOptions, TenantOptions

OLD = edge_options(jwks="")
NEW = edge_options(jwks="", tenants=TenantOptions(hides_suspended=True))
NEXT = NodeGroup(f"{GROUP}~next")
PLAN = RolloutPlan(waves=Waves("all"), soak=0.0, delay=0.0)


@asynccontextmanager
async def publisher(url: str, options: EdgeOptions = NEW, *, plan: RolloutPlan = PLAN) -> AsyncIterator[Replica]:
    """A replica with these settings, once it publishes."""
    async with replica(url, options=options, plan=plan) as one:
        await one.until(lambda: one.status.leads, "it publishes")
        yield one


async def fleet(of: Replica, *, has_new: bool = False, settled: bool = True) -> None:
    """Have the database know of one Envoy."""
    node = FleetNode(
        replica="replica-1",
        id=NodeId("edge-1"),
        group=GROUP,
        lane=NEXT if has_new else GROUP,
        connected_at=time.time(),
        is_settled=settled,
    )
    told = Reporting(name="replica-1", version="1", started_at=1.0, seen_at=0.0, snapshot=1, publishes=True)
    await of.registry.rollouts.report(told, [node], ())


async def rollout(of: Replica, state: RolloutState, *, but: Callable[[Rollout], bool] = lambda _: False) -> Rollout:
    """The newest rollout, once it is in that state."""
    async with asyncio.timeout(15):
        while (  # noqa: ASYNC110 -- another process would be it
            (found := await of.registry.rollouts.rollout()) is None or found.state is not state or but(found)
        ):
            await asyncio.sleep(0.01)
    return found


def given(of: Replica) -> Snapshot:
    """What the Envoy is served."""
    slot = of.feed.slot(Node(id=NodeId("edge-1"), group=GROUP))
    assert slot is not None
    return slot.snapshot


async def structures(sql: asyncpg.Connection) -> list[str]:
    """By which settings each snapshot was made."""
    names = {structure_of(OLD): "old", structure_of(NEW): "new"}
    rows = await sql.fetch("SELECT structure FROM snapshots ORDER BY number")
    return [names[row["structure"]] for row in rows]


async def begun(database_url: str, sql: asyncpg.Connection, *, mode: Mode = Mode.AUTO) -> dict[tuple[str, str], bytes]:
    """Have snapshot 1 by the old settings, one Envoy, and that mode; what is served."""
    await seeded(sql, "acme")
    async with publisher(database_url, OLD) as one:
        await one.serves(1)
        await fleet(one)
        if mode is not Mode.AUTO:
            await acted(one, await operations.set_mode(one.registry.snapshots, mode, ANN))
        return dict(one.bodies())


async def test_what_was_stopped_reaches_nobody_by_a_rollback_and_a_resume(
    database_url: str, sql: asyncpg.Connection
) -> None:
    original = await begun(database_url, sql)
    async with publisher(database_url) as one:
        await rollout(one, RolloutState.RUNNING)
        await one.until(lambda: given(one).group == NEXT, "the Envoy is given it")
        stopped = await rollouts.abort(one.registry.rollouts, ANN)
        await one.until(lambda: given(one).group == GROUP, "and is put back")
        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('b', 'cell-a')")
        await one.until(lambda: one.tenants == {"acme", "b"})

        store = one.registry.snapshots
        await acted(one, await operations.roll_back(store, 1, ANN))
        assert one.bodies() == original
        await acted(one, await operations.resume(store, ANN))
        assert one.tenants == {"acme", "b"}
        assert {key: body for key, body in one.bodies().items() if key != ("srds", "b")} == original
        assert set(await structures(sql)) == {"old"}
        assert (await one.registry.rollouts.rollout()) == replace(
            stopped, ended_at=(await rollout(one, RolloutState.STOPPED)).ended_at
        )


async def test_what_was_rolled_out_and_rolled_back_waits_for_an_operator(
    database_url: str, sql: asyncpg.Connection
) -> None:
    original = await begun(database_url, sql)
    async with publisher(database_url) as one:
        await one.until(lambda: given(one).group == NEXT, "the Envoy is given it")
        middle = one.status.snapshot
        await fleet(one, has_new=True)
        first = await rollout(one, RolloutState.DONE)
        await one.until(lambda: one.snapshot.number > middle and given(one).group == GROUP, "it is everyone's")
        assert (await structures(sql))[-1] == "new"
        assert (await entries(sql))[-1][1] == "structure"

        store = one.registry.snapshots
        await acted(one, await operations.roll_back(store, middle, ANN))
        assert (given(one).group, one.bodies()) == (GROUP, original), "the lane that there was then is nobody's"
        await acted(one, await operations.resume(store, ANN))
        again = await rollout(one, RolloutState.PENDING)
        assert (again.id, one.bodies(), (await structures(sql))[-1]) == (first.id + 1, original, "old")


async def test_in_manual_mode_a_structure_waits_and_then_goes_by_waves(
    database_url: str, sql: asyncpg.Connection
) -> None:
    original = await begun(database_url, sql, mode=Mode.MANUAL)
    async with publisher(database_url) as one:
        await rollout(one, RolloutState.PENDING)
        assert (one.status.snapshot, one.status.held, one.bodies()) == (1, "", original)
        await rollouts.start(one.registry.rollouts, ANN)
        await one.until(lambda: given(one).group == NEXT, "the Envoy is given it")
        assert one.bodies() == original

        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('b', 'cell-a')")
        await candidate(one, "manual: waiting to be published")
        assert (one.tenants, given(one).group) == ({"acme"}, NEXT), "data waits, and the rollout does not"
        await sql.execute("DELETE FROM tenants WHERE id = 'b'")
        await one.until(lambda: one.status.held == "")

        await fleet(one, has_new=True)
        await rollout(one, RolloutState.DONE)
        await one.until(lambda: given(one).group == GROUP and one.bodies() != original, "it is everyone's")
        assert ((await structures(sql))[-1], one.status.mode, one.status.held) == ("new", "manual", "")


async def test_in_manual_mode_what_is_stopped_is_taken_away_at_once(database_url: str, sql: asyncpg.Connection) -> None:
    original = await begun(database_url, sql, mode=Mode.MANUAL)
    async with publisher(database_url) as one:
        await rollout(one, RolloutState.PENDING)
        await rollouts.start(one.registry.rollouts, ANN)
        await one.until(lambda: given(one).group == NEXT, "the Envoy is given it")
        number = one.status.snapshot
        await rollouts.abort(one.registry.rollouts, ANN)

        await one.serves(number + 1)
        assert (given(one).group, one.bodies(), one.status.held) == (GROUP, original, "")
        assert await structures(sql) == ["old"] * (number + 1)


async def test_what_is_done_stays_done_though_data_are_held_and_keys_change(
    database_url: str, sql: asyncpg.Connection
) -> None:
    await begun(database_url, sql, mode=Mode.MANUAL)
    new = replace(NEW, auth=replace(NEW.auth, clock_skew_seconds=7))
    async with publisher(database_url, new) as one:
        await rollout(one, RolloutState.PENDING)
        await rollouts.start(one.registry.rollouts, ANN)
        await one.until(lambda: given(one).group == NEXT, "the Envoy is given it")
        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('b', 'cell-a')")
        await candidate(one, "manual: waiting to be published")
        await fleet(one, has_new=True)
        await rollout(one, RolloutState.DONE)
        number = one.status.snapshot

        one.keys.change(NEW_KEYS)
        await one.serves(number + 1, "acme")
        for each in (given(one), one.snapshot):
            (check,) = each.table(TypeUrl.EXTENSION).values()
            assert (b"test-2" in check.body, b"test-1" in check.body) == (True, False), each.group
        assert given(one).group == NEXT
        await candidate(one, "manual: waiting to be published")
        await acted(one, await operations.publish_held(one.registry.snapshots, ANN))
        await one.serves(number + 2, "acme", "b")
        assert given(one).group == GROUP
        assert await sql.fetchval("SELECT structure FROM snapshots ORDER BY number DESC") == structure_of(new)
        assert (await rollout(one, RolloutState.DONE)).id == 1


async def test_settings_that_no_resource_shows_are_rolled_out_too(database_url: str, sql: asyncpg.Connection) -> None:
    await begun(database_url, sql)
    new = replace(OLD, tenants=TenantOptions(grace=timedelta(minutes=1)))
    async with publisher(database_url, new) as one:
        await one.until(lambda: given(one).group == NEXT, "the Envoy is given it")
        await fleet(one, has_new=True)
        await rollout(one, RolloutState.DONE)
        await one.until(lambda: given(one).group == GROUP, "it is everyone's")
        assert await sql.fetchval("SELECT structure FROM snapshots ORDER BY number DESC") == structure_of(new)


async def test_a_check_that_fails_takes_it_from_whoever_has_it(
    database_url: str, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    original = await begun(database_url, sql)
    bad = tmp_path / "bad"
    check = f"if test -e {bad}; then echo 7 % of answers are 5xx; exit 1; fi; exit 3"
    async with publisher(database_url, plan=replace(PLAN, check=check, check_every=0.1)) as one:
        await one.until(lambda: given(one).group == NEXT, "the Envoy is given it")
        await fleet(one, has_new=True)
        waiting = await rollout(one, RolloutState.RUNNING, but=lambda found: found.settled_at is None)
        assert waiting.wave == 0, "it cannot tell yet"
        bad.touch()

        stopped = await rollout(one, RolloutState.STOPPED)
        assert stopped.reason == f"the check failed with status 1: {check}: 7 % of answers are 5xx"
        await one.until(lambda: given(one).group == GROUP, "it is put back")
        assert one.bodies() == original


async def test_what_an_older_version_wrote_of_the_same_settings_is_read_once(
    database_url: str, sql: asyncpg.Connection
) -> None:
    await begun(database_url, sql)
    older = "UPDATE snapshots SET structure = (structure::jsonb #- '{tenants,hides_suspended}')::text"
    await sql.execute(older)
    async with publisher(database_url, OLD) as one:
        await one.serves(1)
        desired = one.publisher._structures.desired
        await acted(one, await operations.freeze(one.registry.snapshots, ANN))
        await acted(one, await operations.resume(one.registry.snapshots, ANN))

        assert one.publisher._structures.desired is desired
