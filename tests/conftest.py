"""What the tests of all rooms share."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

# Folders whose tests share a workspace or a site that takes long to make.
TOGETHER = ("end_to_end", "reports")
DATA = Path(os.environ.get("VADOSE_DATA", Path(__file__).parents[2] / "shared" / "data"))

# Tests that a shell or `nohup` starts in the background ignore some signals, and so would the programs they start.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, usual)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one process of `pytest -n` run all tests of a file, or of a folder that shares much."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return next((folder for folder in TOGETHER if file.startswith(f"tests/{folder}/")), file)

    return ByFile(config, log)


@pytest.fixture(scope="session")
def vadose_data() -> Path:
    """The folder of real data: `$VADOSE_DATA`, else `../shared/data`; CI fails where it is missing."""
    if not DATA.is_dir():
        message = f"real data not found in {DATA}; set VADOSE_DATA"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return DATA
