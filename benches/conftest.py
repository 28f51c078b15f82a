"""The option that chooses the size: `pytest benches --size cifar`."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for any import mode of pytest

from data import SIZES


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--size` and `--cleanlab`."""
    parser.addoption(
        "--size",
        choices=list(SIZES),
        default=os.environ.get("CONFLEARN_BENCH_SIZE", "smoke"),
        help="named size of the data (default: $CONFLEARN_BENCH_SIZE or smoke)",
    )
    parser.addoption(
        "--cleanlab",
        action="store_true",
        help="measure cleanlab also where one call takes it many seconds",
    )
