"""Checks: whether labels and matrix are what the method takes them for, before they are believed.

===============  ================================================================================
`check`          which checks there are: `check_inputs`, and what `analyze` reports
`counted`        the numbers that they are made from, all of them counts and means
`agreement`      labels and model that agree too well, or not at all
`columns`        columns that stand in another order than the classes
`classes`        classes without examples, or of other shares than the model gives them
`probabilities`  rows that do not sum to 1, and probabilities that are off or cut off
`duplicates`     equal rows with different labels
`report`         what is found: `Finding`, `InputReport`
===============  ================================================================================

What is counted comes from one sweep, in the core; here it is told in words. A limit that a check
has is a constant beside it, with the reason.
"""

from conflearn.checks.check import check_inputs
from conflearn.checks.report import Finding, InputReport

__all__ = ["Finding", "InputReport", "check_inputs"]
