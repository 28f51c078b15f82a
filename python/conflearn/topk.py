"""Probabilities of which only the largest of each example are kept."""

import operator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from conflearn._coerce.objects import spelled
from conflearn.errors import InputTypeError, OptionError, ShapeError

__all__ = ["TopK"]


@dataclass(frozen=True, eq=False, repr=False)
class TopK:
    """A matrix of probabilities by the few entries that each row stores.

    With 200,000 classes nobody keeps all probabilities of an example. This stands for the matrix of
    shape (N, K) that is zero wherever nothing is stored, and every function of `conflearn` that
    takes a matrix takes it: the answers are those of that matrix, to the bit, and nothing of its
    size is ever made. Whether they are those of the full matrix, with what was thrown away, is
    another question, to which the method page has the answer.

    Parameters
    ----------
    classes : array_like of shape (N, k), integers
        The classes of each row's entries, from 0 to K - 1, each but once a row and in any order. -1
        stands for no entry: so rows may have fewer.
    values : array_like of shape (N, k), float16, bfloat16, float32 or float64
        Their probabilities. What stands beside a -1 is not looked at.
    n_classes : int
        K, from 2 to 2,097,152.

    Attributes
    ----------
    shape : tuple of int
        N and K.
    dtype : numpy.dtype
        That of the values.

    Raises
    ------
    ShapeError
        If `classes` and `values` differ in shape or have other than two dimensions, or K is below
        2.
    OptionError
        If K is no whole number.

    Examples
    --------
    >>> import conflearn
    >>> classes = [[0, 2], [0, 1], [2, 0], [1, -1], [2, 1]]
    >>> values = [[0.75, 0.25], [0.875, 0.125], [0.75, 0.25], [1.0, 0.0], [0.625, 0.375]]
    >>> top = conflearn.TopK(classes, values, n_classes=3)
    >>> conflearn.find_label_issues([0, 0, 0, 1, 2], top)
    array([False, False,  True, False, False])
    >>> top[1:3].to_dense()
    array([[0.875, 0.125, 0.   ],
           [0.25 , 0.   , 0.75 ]])
    """

    classes: Any
    values: Any
    n_classes: int = field(kw_only=True)

    def __post_init__(self) -> None:
        for name in ("classes", "values"):
            value = getattr(self, name)
            # Not so lists of paths, of which others may make sense.
            if isinstance(value, list | tuple) and value and isinstance(value[0], list | tuple):
                try:
                    object.__setattr__(self, name, np.array(value))
                except ValueError as error:
                    raise ShapeError(
                        f"{name} must have rows of equal length; fill them up, with the class -1"
                    ) from error
        try:
            n_classes = operator.index(self.n_classes)
        except TypeError as error:
            raise OptionError(
                f"n_classes must be a whole number, but is {self.n_classes!r}; pass the number of "
                "columns that the whole matrix would have"
            ) from error
        if n_classes < 2:  # noqa: PLR2004 - as few as labels can be confused between
            raise ShapeError(f"n_classes must be at least 2, but is {n_classes}")
        object.__setattr__(self, "n_classes", n_classes)
        shapes = [
            tuple(value.shape) for value in (self.classes, self.values) if hasattr(value, "shape")
        ]
        for shape in shapes:
            if len(shape) != 2:  # noqa: PLR2004 - rows and entries
                raise ShapeError(
                    "classes and values must have two dimensions, a row for each example and k "
                    f"entries a row; the shape of one is {shape}"
                )
        if len(set(shapes)) > 1:
            raise ShapeError(
                f"classes and values must have the same shape, but classes has {shapes[0]} and "
                f"values has {shapes[1]}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """N and K."""
        return len(self), self.n_classes

    @property
    def dtype(self) -> np.dtype[Any]:
        """What values are."""
        if not hasattr(self.values, "dtype"):
            # Not of conflearn.errors: hasattr shall say that there is none.
            raise AttributeError(
                "values is no array, so its dtype is known only when it is read; pass it on as it "
                "is, or open it first"
            )
        dtype: np.dtype[Any] = self.values.dtype
        return dtype

    def __len__(self) -> int:
        for member in (self.classes, self.values):
            if hasattr(member, "shape"):
                return int(member.shape[0])
        raise InputTypeError("classes and values are no arrays, so nobody knows how many rows")

    def __getitem__(self, rows: Any) -> "TopK":
        """Take some rows: a slice, or whatever else the arrays take for several."""
        return TopK(self.classes[rows], self.values[rows], n_classes=self.n_classes)

    def to_dense(self) -> npt.NDArray[Any]:
        """Write the zeros out.

        Returns
        -------
        ndarray of shape (N, K)
            In the dtype of the values. Of a million classes it has no room anywhere.
        """
        classes, values = np.asarray(self.classes), np.asarray(self.values)
        dense = np.zeros(self.shape, values.dtype)
        rows, places = np.nonzero(classes != -1)
        dense[rows, classes[rows, places]] = values[rows, places]
        return dense

    def __repr__(self) -> str:
        for member in (self.classes, self.values):
            if hasattr(member, "shape"):
                return f"TopK of {member.shape[1]} entries a row, n_classes={self.n_classes}"
        members = f"classes={spelled(self.classes)}, values={spelled(self.values)}"
        return f"TopK({members}, n_classes={self.n_classes})"
