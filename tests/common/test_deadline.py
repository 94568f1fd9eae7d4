"""A library that never comes back ends the program readably; one that does is left alone."""

import subprocess
import sys
import time
from pathlib import Path

from vadose.common.deadline import opening

STUCK = """
import sys, time
from pathlib import Path
from vadose.common.deadline import opening
with opening(Path("stuck.nc"), float(sys.argv[1])):
    time.sleep(20)
print("went on")
"""


def test_program_ends_with_a_message_that_names_the_file() -> None:
    before = time.monotonic()
    done = subprocess.run([sys.executable, "-c", STUCK, "0.2"], capture_output=True, text=True, check=False)
    assert time.monotonic() - before < 15
    assert done.returncode == 3
    assert "does not open within 0.2 seconds" in done.stderr
    assert "stuck.nc" in done.stderr
    assert "went on" not in done.stdout


def test_a_file_that_opens_in_time_is_left_alone() -> None:
    with opening(Path("fast.nc"), 0.2):
        pass
    time.sleep(0.4)
