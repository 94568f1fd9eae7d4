"""A product card that is no card is refused readably."""

from pathlib import Path

import pytest

from vadose.common import UsageError
from vadose.producer.ingest import load_card


def test_a_card_that_never_ends_is_refused(tmp_path: Path) -> None:
    card = tmp_path / "card.yaml"
    card.symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="more than 256 MiB of text"):
        load_card(card)
