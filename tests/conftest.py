"""What the tests of all rooms share."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("VADOSE_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def vadose_data() -> Path:
    """The folder of real data: `$VADOSE_DATA`, else `../shared/data`; CI fails where it is missing."""
    if not DATA.is_dir():
        message = f"real data not found in {DATA}; set VADOSE_DATA"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return DATA
