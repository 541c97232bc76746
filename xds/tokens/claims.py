"""How a claim is named in a setting.

Pure.
"""


def claim_path(name: str) -> tuple[str, ...]:
    """The path to a claim: `tenant_id`, `org.tenant` step by step, or a JSON pointer for names that have dots in them.

    `/https:~1~1x.example~1tenant` is the claim `https://x.example/tenant` (RFC 6901: `~1` is a slash, `~0` a tilde).
    Raises ValueError if a part is empty.
    """
    parts = name[1:].split("/") if name.startswith("/") else name.split(".")
    if name.startswith("/"):
        parts = [part.replace("~1", "/").replace("~0", "~") for part in parts]
    if not all(parts):
        raise ValueError(f"expected a claim's name, a.b for a claim inside another, or a JSON pointer, got {name!r}")
    return tuple(parts)


def claim_name(path: tuple[str, ...]) -> str:
    """A name for that path."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
