"""alphaswarm-xds: an Envoy xDS control plane that pushes a cells registry into Envoy."""

__version__ = "0.2.0"
