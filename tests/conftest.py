"""What every test may lean on: repeatable examples, other packages, the real data."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from reference.stable_cleanlab import stable_cleanlab
from strategies import Data

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("ci"), max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

SHARED_DATA = Path(
    os.environ.get("CONFLEARN_SHARED_DATA")
    or Path(__file__).resolve().parents[2] / "shared" / "data"
)
REAL_FILES = (
    "mnist_test",
    "cifar10_test",
    "cifar10_train_noise20_sparsity20",
    "cifar10_train_noise40_sparsity40",
    "cifar10_train_noise70_sparsity0",
)


@pytest.fixture(scope="session", params=REAL_FILES)
def real_data(request: pytest.FixtureRequest) -> Data:
    """One real file, in the width it was published in."""
    path = SHARED_DATA / f"{request.param}.npz"
    if not path.exists():
        pytest.skip(f"the real data is not here: {path}")
    with np.load(path, allow_pickle=False) as file:
        return Data(file["labels"], file["pred_probs"])


@pytest.fixture(scope="session", params=["float16", "bfloat16", "float32", "float64"])
def width(request: pytest.FixtureRequest) -> np.dtype:
    """Each dtype that a matrix is read in without a copy."""
    if request.param == "bfloat16":
        return np.dtype(pytest.importorskip("ml_dtypes").bfloat16)
    return np.dtype(request.param)


@pytest.fixture(scope="module")
def cleanlab() -> Iterator[SimpleNamespace]:
    """cleanlab's modules, made repeatable."""
    pytest.importorskip("cleanlab")
    with stable_cleanlab() as modules:
        yield modules
