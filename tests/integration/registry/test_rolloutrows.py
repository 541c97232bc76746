"""What a row of a rollout or of a node may hold: texts of every kind, times to the microsecond."""

import json
from dataclasses import replace

import asyncpg
import pytest

from tests.integration.registry.test_rollouts import NOW, RUNNING, node, proposed, replica
from xds.names import NodeId
from xds.registry import PostgresRegistry
from xds.registry.rolloutrows import node_document

STRANGE = 'é "quoted" \\ {}, \'; DROP TABLE rollouts; -- \U0001f600'


async def test_any_text_comes_back_as_it_was(registry: PostgresRegistry) -> None:
    told = node(STRANGE, user_agent=STRANGE, error=STRANGE, labels={STRANGE: STRANGE}, peer="")
    await registry.rollouts.report(replica(), [told], ())
    assert (await registry.rollouts.view()).nodes == (told,)

    rollout = replace(RUNNING, structure=STRANGE, by=STRANGE, message=STRANGE, nodes=frozenset({NodeId(STRANGE)}))
    assert await proposed(registry, rollout) == replace(rollout, id=1)


@pytest.mark.parametrize("behind_since", [None, NOW])
def test_a_node_is_json_with_its_times_in_utc(behind_since: float | None) -> None:
    document = json.loads(json.dumps(node_document(node("a", behind_since=behind_since))))

    assert document["connected_at"] == "2027-01-15T08:00:00.123456+00:00"
    assert document["behind_since"] == (None if behind_since is None else document["connected_at"])


async def test_the_database_knows_the_states_and_refuses_a_soak_below_zero(sql: asyncpg.Connection) -> None:
    insert = "INSERT INTO rollouts (structure, waves, soak_seconds, state) VALUES ('', '', $1, $2)"
    for state in ("pending", "running", "done", "stopped"):
        await sql.execute(insert, 0.0, state)
    with pytest.raises(asyncpg.CheckViolationError, match="rollouts_state_known"):
        await sql.execute(insert, 0.0, "paused")
    with pytest.raises(asyncpg.CheckViolationError, match="rollouts_soak_valid"):
        await sql.execute(insert, -1.0, "pending")
