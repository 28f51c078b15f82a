"""Frames of pandas, as the summaries of this layer print them."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["show"]


def show(frame: "pd.DataFrame") -> None:
    """Show a table as notebooks do, if this is one."""
    try:
        import_module("IPython.display").display(frame)
    except Exception:  # noqa: BLE001 - without IPython, or wherever it cannot show anything
        print(frame)  # noqa: T201 - what verbose asks for
