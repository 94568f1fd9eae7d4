"""What every room shares: errors with an exit code, files that appear whole, days and progress.

Nothing here knows about soil moisture; no room is imported.
"""

from vadose.common.errors import UNREADABLE, GateError, InputError, PartialError, UsageError, VadoseError
from vadose.common.files import file_sha256, read_json, read_short, whole_directory, whole_file, write_json, write_text
from vadose.common.progress import Progress, silent

__all__ = [
    "UNREADABLE",
    "GateError",
    "InputError",
    "PartialError",
    "Progress",
    "UsageError",
    "VadoseError",
    "file_sha256",
    "read_json",
    "read_short",
    "silent",
    "whole_directory",
    "whole_file",
    "write_json",
    "write_text",
]
