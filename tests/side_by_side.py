"""What the tests share that call this package and cleanlab, and compare what comes of it."""

import inspect
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

METHOD = Path(__file__).parents[1] / "docs" / "method.md"


class Outcome(NamedTuple):
    """What came of a call: a value or an error, and the kinds of warnings."""

    value: Any
    error: Exception | None
    warned: set[type[Warning]]


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Outcome:
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        value, error = None, None
        try:
            value = function(*args, **kwargs)
        except Exception as exception:  # noqa: BLE001 - whatever it is, the other layer must raise it
            error = exception
    return Outcome(value, error, {w.category for w in caught} - {RuntimeWarning})


def assert_equal(ours: Any, theirs: Any, rtol: float) -> None:
    if isinstance(theirs, tuple):
        assert isinstance(ours, tuple)
        for mine, other in zip(ours, theirs, strict=True):
            assert_equal(mine, other, rtol)
        return
    assert isinstance(ours, np.ndarray) == isinstance(theirs, np.ndarray)
    assert np.asarray(ours).dtype == np.asarray(theirs).dtype
    if np.asarray(theirs).dtype.kind == "f":
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-12)
    else:
        np.testing.assert_array_equal(ours, theirs)


def public_functions(module: ModuleType) -> dict[str, Callable[..., Any]]:
    return {
        name: function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_") and function.__module__ == module.__name__
    }


def assert_shown_and_documented(differences: dict[str, str], tests: dict[str, Any]) -> None:
    """Each intended difference has a test that shows both sides, and a row in the documents."""
    prefix = "test_difference_"
    assert {name.removeprefix(prefix) for name in tests if name.startswith(prefix)} == set(
        differences
    )
    table = METHOD.read_text(encoding="utf-8").partition("## Differences")[2]
    documented = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert set(differences) <= set(documented)
