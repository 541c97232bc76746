"""What a canary is judged by, asked over HTTP: routers' /readyz, Envoys' /stats, Prometheus."""

from xds.evidence.asking import Asking
from xds.evidence.envoystats import EnvoyStats
from xds.evidence.prometheus import Prometheus
from xds.evidence.readiness import Routers

__all__ = ["Asking", "EnvoyStats", "Prometheus", "Routers"]
