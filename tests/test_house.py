"""Rules of the house that no linter knows."""

from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_no_room_hides_the_others() -> None:
    assert not list(ROOT.glob("*/vadose/__init__.py"))


def test_every_package_is_typed() -> None:
    packages = [
        path
        for room in ("producer", "validation", "reports")
        for path in (ROOT / room / "vadose").iterdir()
        if path.is_dir() and path.name != "__pycache__"
    ]
    assert packages
    assert all((package / "py.typed").exists() for package in packages)


def test_every_top_level_folder_has_a_readme() -> None:
    assert all(
        (ROOT / folder / "README.md").exists() for folder in ("producer", "validation", "reports", "site", "tests")
    )


def test_no_pickle_is_written_or_read() -> None:
    banned = ("import pickle", "torch.load(", "torch.save(", "allow_pickle=True", "joblib")
    for path in ROOT.glob("*/vadose/**/*.py"):
        text = path.read_text(encoding="utf-8")
        assert not [word for word in banned if word in text], path
