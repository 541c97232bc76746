"""Every operation, once.

A new one is a line here, its function with the shapes of what is asked and answered, and a method of its name in
protos/xds/control/v1.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, get_type_hints

from xds.control import (
    audit,
    cells,
    drains,
    emergency,
    explanations,
    fleet,
    held,
    moves,
    overrides,
    publishing,
    rehearsing,
    rollouts,
    snapshots,
    tenants,
)
from xds.control.operation import A, Operation, Parts, Q

_CELL, _TENANT, _SNAPSHOT = "/manage/cells/{cell}", "/manage/tenants/{tenant}", "/manage/snapshots/{number}"
_DRAIN, _MOVE = f"{_CELL}/drain", f"{_TENANT}/move"
_FLEET, _PUBLISHING, _ROLLOUTS = "/manage/fleet", "/manage/publishing", "/manage/rollouts"

Method = Literal["GET", "POST", "PUT"]


def _operation(
    method: Method, path: str, run: Callable[[Parts, Q, str], Awaitable[A]], summary: str, **how: bool
) -> Operation[Q, A]:
    """The operation that `run` does; its name, and what is asked and answered, are the function's."""
    _, request, _, answer = get_type_hints(run).values()
    name = run.__name__.title().replace("_", "")
    return Operation(
        name=name, summary=summary, method=method, path=path, request=request, answer=answer, run=run, **how
    )


OPERATIONS: tuple[Operation[Any, Any], ...] = (
    _operation("GET", "/manage/cells", cells.list_cells, "List the cells."),
    _operation("POST", "/manage/cells", cells.add_cell, "Add a cell.", creates=True),
    _operation("GET", _CELL, cells.get_cell, "Show a cell."),
    _operation("PUT", f"{_CELL}/traits", cells.change_cell, "Give a cell another tier, region, tenancy …"),
    _operation("PUT", f"{_CELL}/state", cells.set_cell_state, "Bring a cell into another state."),
    _operation("PUT", f"{_CELL}/endpoints", cells.set_endpoints, "Exchange a cell's endpoints."),
    _operation("PUT", f"{_CELL}/capacity", cells.set_capacity, "Limit how many tenants a cell takes."),
    _operation("GET", "/manage/drains", drains.list_drains, "List the newest drains."),
    _operation("GET", _DRAIN, drains.get_drain, "Show a cell's last drain, and how far it is."),
    _operation("POST", f"{_DRAIN}/rehearsal", drains.rehearse_drain, "Say where a drain would take a cell's tenants."),
    _operation("POST", f"{_DRAIN}/start", drains.start_drain, "Have servers move a cell's tenants away, in batches."),
    _operation("POST", f"{_DRAIN}/stop", drains.stop_drain, "Stop a drain before its next batch."),
    _operation("POST", f"{_DRAIN}/resume", drains.resume_drain, "Go on with a drain that was stopped."),
    _operation("POST", f"{_CELL}/evacuate", drains.evacuate_cell, "Move everybody out of a cell now, all or none."),
    _operation("POST", f"{_CELL}/undrain", drains.undrain_cell, "Have a drained cell active, and its tenants back."),
    _operation("GET", "/manage/overrides", overrides.list_overrides, "List overrides."),
    _operation("PUT", f"{_TENANT}/override", overrides.set_override, "Keep a tenant in another cell for a time."),
    _operation("POST", f"{_TENANT}/override/clear", overrides.clear_override, "Let a tenant be where it is placed."),
    _operation("GET", "/manage/audit", audit.list_audit, "List who did what, when and why."),
    _operation("GET", "/manage/tenants", tenants.list_tenants, "List tenants."),
    _operation("POST", "/manage/tenants", tenants.add_tenant, "Add a tenant.", creates=True),
    _operation("GET", _TENANT, tenants.get_tenant, "Show a tenant."),
    _operation("PUT", f"{_TENANT}/state", tenants.set_tenant_state, "Suspend a tenant, or let it in again."),
    _operation("PUT", f"{_TENANT}/cell", tenants.move_tenant, "Move a tenant to another cell."),
    _operation("POST", "/manage/moves", tenants.move_tenants, "Move several tenants to a cell, all or none."),
    _operation("POST", "/manage/moves/each", moves.move_each, "Move several tenants, each to its cell, all or none."),
    _operation("POST", "/manage/moves/share", moves.move_share, "Move a share of a cell's tenants to another cell."),
    _operation("GET", "/manage/moves/phased", moves.list_phased_moves, "List the moves in phases that are under way."),
    _operation("POST", f"{_MOVE}/prepare", moves.prepare_move, "Begin to move a tenant in phases."),
    _operation("POST", f"{_MOVE}/hold", moves.hold_move, "Hold the writes of a tenant that is to move."),
    _operation("POST", f"{_MOVE}/switch", moves.switch_move, "Lead a tenant that is to move to its new cell."),
    _operation("POST", f"{_MOVE}/finish", moves.finish_move, "Let the writes of a tenant that has moved through."),
    _operation("POST", f"{_MOVE}/abort", moves.abort_move, "Put a tenant that is to move back where it was."),
    _operation("GET", f"{_TENANT}/explanation", explanations.explain, "Say where a tenant goes, and why."),
    _operation("POST", "/manage/rehearsals", rehearsing.rehearse, "Say what would come of a change."),
    _operation("GET", "/manage/snapshots", snapshots.list_snapshots, "List the newest snapshots."),
    _operation("GET", _SNAPSHOT, snapshots.get_snapshot, "Show what is known of a snapshot."),
    _operation("GET", f"{_SNAPSHOT}/resources", snapshots.list_resources, "List a snapshot's resources."),
    _operation("GET", "/manage/snapshots/{older}/diff/{newer}", snapshots.diff_snapshots, "Compare two snapshots."),
    _operation("GET", _PUBLISHING, publishing.get_publishing, "Show what operators have decided, and what is held."),
    _operation("GET", f"{_PUBLISHING}/held", held.list_held, "List what differs in what is held."),
    _operation("POST", f"{_PUBLISHING}/check", held.check_snapshot, "Have a real Envoy validate a snapshot."),
    _operation("POST", f"{_PUBLISHING}/publish", publishing.publish, "Publish what is held."),
    _operation("POST", f"{_PUBLISHING}/rollback", publishing.rollback, "Serve a snapshot of before until resume."),
    _operation("POST", f"{_PUBLISHING}/pin", publishing.pin, "Keep serving the snapshot in force until resume."),
    _operation("POST", f"{_PUBLISHING}/freeze", publishing.freeze, "Publish nothing until resume."),
    _operation("POST", f"{_PUBLISHING}/resume", publishing.resume, "Undo rollback, pin and freeze."),
    _operation(
        "POST",
        f"{_PUBLISHING}/mode",
        publishing.set_mode,
        "Publish changes as they come (auto), or when an operator says so (manual).",
    ),
    _operation("GET", _FLEET, fleet.get_fleet, "Show the replicas, and to how many they serve what."),
    _operation("GET", f"{_FLEET}/nodes", fleet.list_nodes, "List the Envoys of all replicas."),
    _operation("GET", f"{_FLEET}/nodes/{{node}}", fleet.get_node, "Show one Envoy on each replica."),
    _operation("GET", _ROLLOUTS, rollouts.list_rollouts, "List the newest rollouts."),
    _operation(
        "POST", f"{_ROLLOUTS}/start", rollouts.start_rollout, "Start the rollout that is pending or was stopped."
    ),
    _operation(
        "POST", f"{_ROLLOUTS}/abort", rollouts.abort_rollout, "Stop the rollout: every node gets what it had before."
    ),
    _operation(
        "POST",
        "/manage/emergency/evacuations",
        emergency.evacuate_now,
        "While the database is down, have this replica lead a cell's tenants to another cell.",
        needs_registry=False,
    ),
)
