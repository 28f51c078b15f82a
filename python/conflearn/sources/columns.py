"""Which columns of a table, or which array of a file, is meant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from conflearn._coerce.objects import spelled
from conflearn.errors import InputTypeError, OptionError

__all__ = ["Columns"]


@dataclass(frozen=True)
class Columns:
    """Columns of a table, or one array of a file that holds several, by name.

    Pass it as ``pred_probs`` or as ``labels`` where it is not plain which are meant: columns of
    floats are taken for classes only if they are called like ``classes``, or are numbered.

    Parameters
    ----------
    source : path, list of paths, glob, frame, Arrow table or dataset, Hugging Face dataset
        What holds them: a table in memory or in parquet, Arrow or Feather files, or arrays in
        ``.npz`` and ``.safetensors`` files.
    names : str or sequence of K str
        A column that holds a list of K numbers a row, or labels, or an array; or the columns of the
        classes in their order.

    Raises
    ------
    InputTypeError, OptionError
        If `names` is neither a name nor a sequence of some.

    Examples
    --------
    >>> import conflearn
    >>> conflearn.Columns("predictions.parquet", ["cat", "dog"])
    Columns(source='predictions.parquet', names=('cat', 'dog'))
    """

    source: Any
    names: str | Sequence[str]

    def __post_init__(self) -> None:
        if isinstance(self.names, str):
            return
        names: tuple[Any, ...] = (
            tuple(self.names) if isinstance(self.names, Iterable) else (self.names,)
        )
        for name in names:
            if not isinstance(name, str):
                raise InputTypeError(
                    f"names holds {spelled(name)}, of type {type(name).__name__}, but must be the "
                    "name of a column, or a list of names"
                )
        if not names:
            raise OptionError("names is empty; it must name a column for each class")
        for name in names:
            if names.count(name) > 1:
                raise OptionError(f"names holds {name!r} twice; each class has its own column")
        object.__setattr__(self, "names", names)
