"""Every exception and warning that conflearn raises, on one page.

::

    ValueError                   TypeError             ImportError
    └── InputError               └── InputTypeError    └── MissingDependencyError
        ├── ShapeError
        ├── LabelError           UserWarning
        ├── ProbabilityError     ├── ConflearnCopyWarning
        ├── OptionError          ├── FoldWarning
        │   └── SingularMatrixError, also a numpy.linalg.LinAlgError
        ├── SourceError
        ├── StateError
        │                        ├── ReviewWarning
        └── TagFormatError       └── WeightWarning
            (also an InputTypeError and an AssertionError)

Code that already catches ``ValueError`` or ``TypeError`` goes on working. Each message names the
argument, the rule it breaks, the first row, column and value that break it, and what to do.
"""

from numpy.linalg import LinAlgError

__all__ = [
    "ConflearnCopyWarning",
    "FoldWarning",
    "InputError",
    "InputTypeError",
    "LabelError",
    "MissingDependencyError",
    "OptionError",
    "ProbabilityError",
    "ReviewWarning",
    "ShapeError",
    "SingularMatrixError",
    "SourceError",
    "StateError",
    "TagFormatError",
    "WeightWarning",
]


class InputError(ValueError):
    """A value handed to conflearn breaks a rule; the classes below say which kind of rule."""


class ShapeError(InputError):
    """Wrong number of dimensions, lengths that differ, no rows, fewer than two classes."""


class LabelError(InputError):
    """A label that is missing, not a whole number, outside 0..K-1, or an unknown class name."""


class ProbabilityError(InputError):
    """A probability that is missing, NaN, infinite, or outside [0, 1]."""


class OptionError(InputError):
    """An option that does not exist, or that does not go with the others."""


class SingularMatrixError(OptionError, LinAlgError):
    """``py_method="eqn"`` of `conflearn.cleanlab` meets a noise matrix that has no inverse."""


class InputTypeError(TypeError):
    """An object, or a dtype, that conflearn does not read."""


class SourceError(InputError):
    """A file that is truncated, damaged, of another shape than said, or changed meanwhile."""


class StateError(InputError):
    """Bytes that hold no state of this kind, or states that were not made for each other."""


class TagFormatError(LabelError, ShapeError, InputTypeError, AssertionError):
    """Multi-label data that `conflearn.cleanlab` cannot read; cleanlab raises all of these."""


class ConflearnCopyWarning(UserWarning):
    """The matrix had to be copied before it could be read; the message says how to avoid it."""


class FoldWarning(UserWarning):
    """Cross-validation cannot judge every example: of a class too rare, or never held out."""


class ReviewWarning(UserWarning):
    """Rows that were added to an audit have no verdict yet: what follows rests on the others."""


class WeightWarning(UserWarning):
    """A classifier was trained without the weights that were asked for: it takes none."""


class MissingDependencyError(ImportError):
    """An optional package that the call needs is not installed."""
