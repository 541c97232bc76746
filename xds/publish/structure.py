"""The edge's options as text: what a snapshot was made by, beside the registry and the keys.

Equal texts are equal options. Knows nothing about what the options mean.
"""

from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from xds.translate import EdgeOptions

_ADAPTER = TypeAdapter(EdgeOptions)


def structure_of(options: EdgeOptions) -> str:
    """The options in JSON, without keys: those come and go."""
    auth = options.auth
    bare = replace(options, auth=replace(auth, issuers=tuple(replace(each, jwks="") for each in auth.issuers)))
    return _ADAPTER.dump_json(bare).decode()


def options_of(structure: str) -> EdgeOptions | None:
    """The options of that text; None if it is another version's, and can't be read."""
    try:
        return _ADAPTER.validate_json(structure)
    except ValidationError:
        return None
