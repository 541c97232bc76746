"""The tree of exceptions is the one that its docstring draws."""

import inspect
import re

import pytest

from xds import errors

_CLASSES = [value for value in vars(errors).values() if inspect.isclass(value)]


def _drawn_parents() -> dict[str, str]:
    """Each class in the docstring's drawing with the class that it hangs under."""
    parents: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        drawn = re.match(r"(?P<branch> +[│├└─ ]*)(?P<name>[A-Z]\w+)\b", line)
        if not drawn:
            continue
        depth = len(drawn["branch"])
        path = [(at, name) for at, name in path if at < depth]
        parents[drawn["name"]] = path[-1][1] if path else "Exception"
        path.append((depth, drawn["name"]))
    return parents


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    assert _drawn_parents() == {each.__name__: each.__base__.__name__ for each in _CLASSES if each.__base__}


@pytest.mark.parametrize("error", _CLASSES)
def test_every_error_is_caught_by_the_root(error: type[Exception]) -> None:
    assert issubclass(error, errors.XdsError)
    assert error.__doc__


def test_a_settings_error_tells_all_faults_in_one_line() -> None:
    error = errors.SettingsError(("CBA_MODE: wrong", "AUTH_ISSUER: missing"))

    assert error.faults == ("CBA_MODE: wrong", "AUTH_ISSUER: missing")
    assert str(error) == "CBA_MODE: wrong; AUTH_ISSUER: missing"
