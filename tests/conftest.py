"""What the tests of all rooms share."""

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Folders whose tests share a workspace or a site that takes long to make.
TOGETHER = ("end_to_end", "reports")
DATA = Path(os.environ.get("VADOSE_DATA", HERE.parents[1] / "shared" / "data"))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give all tests of a file, or of a folder that shares much, to one process of `pytest -n`."""
    parts = item.path.relative_to(HERE).parts
    item.add_marker(pytest.mark.xdist_group(parts[0] if parts[0] in TOGETHER else "/".join(parts)))


@pytest.fixture(scope="session")
def vadose_data() -> Path:
    """The folder of real data: `$VADOSE_DATA`, else `../shared/data`; CI fails where it is missing."""
    if not DATA.is_dir():
        message = f"real data not found in {DATA}; set VADOSE_DATA"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return DATA
