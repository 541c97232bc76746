"""The status of publishing, and of the newest rollout, as metrics."""

from xds.names import TypeUrl
from xds.publish.rollout import Rollout
from xds.telemetry import Metrics
from xds.telemetry.status import PublishStatus


def measure(metrics: Metrics, status: PublishStatus, rollout: Rollout | None) -> None:
    """Have the metrics say what the status says, and where the rollout is."""
    if rollout is not None:
        metrics.set_rollout(rollout.state, wave=rollout.wave + 1, nodes=len(rollout.nodes))
    metrics.snapshot.set(status.snapshot)
    metrics.registry_revision.set(status.revision)
    metrics.tenants.set(status.tenants)
    metrics.problems.set(len(status.problems))
    metrics.publisher.set(status.leads)
    metrics.publish_held.set(bool(status.held))
    metrics.publish_unrecorded.set(status.is_ahead)
    metrics.set_publish_mode(status.mode)
    metrics.set_cells(status.cells)
    metrics.set_resources({TypeUrl(type_url): status.resources[TypeUrl(type_url).label] for type_url in TypeUrl})
