"""The drop-in layer has cleanlab's names: its modules, functions, classes, signatures, defaults."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

import conflearn.cleanlab

pytest.importorskip("cleanlab")

MODULES = [
    module.name.removeprefix("conflearn.")
    for module in pkgutil.walk_packages(conflearn.cleanlab.__path__, "conflearn.cleanlab.")
    if not module.name.rpartition(".")[2].startswith("_")
]


def names_of(module: ModuleType) -> dict[str, Any]:
    """Functions and classes that a module defines for others to use, and methods of the classes."""
    names = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    }
    for name, value in list(names.items()):
        if inspect.isclass(value):
            for method, function in vars(value).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    names[f"{name}.{method}"] = function
    return names


def look_up(module: ModuleType, name: str) -> Any:
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_the_signature_of_cleanlab(module: str) -> None:
    ours = importlib.import_module(f"conflearn.{module}")
    for name, theirs in names_of(importlib.import_module(module)).items():
        mine = inspect.signature(look_up(ours, name)).parameters
        expected = inspect.signature(theirs).parameters
        assert list(mine) == list(expected), name
        for parameter, other in expected.items():
            assert mine[parameter].kind == other.kind, f"{name}: {parameter}"
            if not hasattr(other.default, "fit"):  # an estimator
                assert repr(mine[parameter].default) == repr(other.default), f"{name}: {parameter}"


@pytest.mark.parametrize("module", MODULES)
def test_nothing_else_is_public(module: str) -> None:
    ours = importlib.import_module(f"conflearn.{module}")
    theirs = importlib.import_module(module)
    for other in MODULES:
        importlib.import_module(other)  # after which they are attributes of their packages
    assert set(ours.__all__) <= set(vars(theirs))


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_attributes_of_their_package(module: str) -> None:
    """`import conflearn.cleanlab` alone is enough to use any of them."""
    name = module.split(".")[1] if "." in module else "filter"
    code = (
        f"import conflearn.cleanlab; assert {name!r} in dir(conflearn.cleanlab); conflearn.{module}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_package_is_light() -> None:
    code = (
        "import sys, conflearn.cleanlab; "
        "print(*sorted({'sklearn', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout.strip() == ""
