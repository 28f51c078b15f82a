"""What a caller is told: errors and warnings, by the essentials of their messages."""

import re

import pytest

from conflearn.errors import ConflearnCopyWarning


def refused(error, *essentials):
    """Expect the error, with all the essentials in its message, in this order."""
    return pytest.raises(error, match="(?s)" + ".*".join(map(re.escape, essentials)))


def announced(*essentials):
    """Expect the warning of a copy, with all the essentials in its message."""
    return pytest.warns(ConflearnCopyWarning, match="(?s)" + ".*".join(map(re.escape, essentials)))
