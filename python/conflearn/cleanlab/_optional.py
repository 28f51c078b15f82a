"""Packages that only some functions of this layer need, imported when these are called."""

from importlib import import_module
from typing import Any

from conflearn.errors import MissingDependencyError

__all__ = ["pandas", "sklearn"]


def pandas() -> Any:
    """Import pandas, in whose frames cleanlab returns its tables."""
    try:
        return import_module("pandas")
    except ImportError as error:
        raise MissingDependencyError("tables need pandas: pip install pandas") from error


def sklearn(module: str) -> Any:
    """Import a module of scikit-learn, which models and cross-validation come from."""
    try:
        return import_module(f"sklearn.{module}")
    except ImportError as error:
        raise MissingDependencyError(
            "classifiers and cross-validation need scikit-learn: pip install scikit-learn"
        ) from error
