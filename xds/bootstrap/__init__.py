"""The one piece of config that Envoy reads from a file, as the JSON object that goes into it.

Pure, and without Envoy's schema: what is printed for an operator must not wait for it.
"""

from xds.bootstrap.channel import ChannelTls, secrets
from xds.bootstrap.document import XDS_CLUSTER, BootstrapOptions, bootstrap

__all__ = ["XDS_CLUSTER", "BootstrapOptions", "ChannelTls", "bootstrap", "secrets"]
