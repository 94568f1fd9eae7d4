"""Checks of the built site by other programs: `nox -s site` installs them; elsewhere each is skipped by its name."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vadose.reports import report

ROOT = Path(__file__).parents[2]
# Faults of the theme, exact: message and what of the page it is about. Ours are none.
THEME = (
    ("Attribute “autocomplete” is only allowed when the input type is", 'class="md-toggle"'),
    ("Bad value “” for attribute “tabindex” on element “label”", 'class="md-nav__link"'),
)


def missing(what: str) -> None:
    """Skip by name, or fail where all checks are asked for."""
    if os.environ.get("VADOSE_SITE_CHECKS"):
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing; nox -s site installs it")


def needed(module: str) -> None:
    """Go on only where a Python package is installed."""
    if importlib.util.find_spec(module) is None:
        missing(module)


def vnu() -> list[str]:
    """The command of the HTML validator."""
    jar = Path(os.environ.get("VADOSE_VNU") or ROOT / "site/js/node_modules/vnu-jar/build/dist/vnu.jar")
    if shutil.which("java") is None:
        missing("java")
    if not jar.is_file():
        missing("the validator vnu.jar (npm ci in site/js)")
    return ["java", "-jar", str(jar), "--skip-non-html", "--errors-only", "--format", "json"]


def html_errors(folder: Path) -> Iterator[str]:
    """What the validator says about the pages of a folder, without the faults of the theme."""
    done = subprocess.run([*vnu(), str(folder)], capture_output=True, text=True, check=False)
    for message in json.loads(done.stderr)["messages"]:
        words, extract = message["message"], message.get("extract", "")
        if not any(words.startswith(start) and part in extract for start, part in THEME):
            yield f"{message['url']}: {words} {extract!r}"


@pytest.mark.program
@pytest.mark.parametrize("name", ["built", "paired"])
def test_no_page_has_an_html_error_of_ours(name: str, request: pytest.FixtureRequest) -> None:
    vnu()
    assert list(html_errors(request.getfixturevalue(name).site)) == []


@pytest.mark.program
def test_the_validator_sees_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<!doctype html><html lang="en"><title>a</title><div aria-label="x"><p></div>')
    assert len(list(html_errors(tmp_path))) == 1


@pytest.mark.program
def test_no_link_of_the_served_site_is_broken(built, tmp_path: Path) -> None:
    needed("linkcheck")
    settings = tmp_path / "linkcheckerrc"
    settings.write_text("[checking]\nmaxrequestspersecond=500\nthreads=4\n")
    program = Path(sys.executable).with_name("linkchecker")
    words = [str(program), "-f", str(settings), "--no-status", "--ignore-url=^mailto:", "-o", "csv", built.url]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    rows = [line for line in done.stdout.splitlines() if line and not line.startswith(("#", "urlname"))]
    assert (done.returncode, rows) == (0, []), done.stderr


@pytest.mark.program
def test_properdocs_builds_the_same_pages(built, tmp_path: Path) -> None:
    needed("properdocs")
    config = built.docs.parent / "mkdocs.yml"
    words = [sys.executable, "-m", "properdocs", "build", "--strict", "-f", str(config), "-d", str(tmp_path / "site")]
    environment = os.environ | {"VADOSE_SITE_URL": built.url, "SOURCE_DATE_EPOCH": "0"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    ours, theirs = (
        {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
        for site in (built.site, tmp_path / "site")
    )
    assert theirs.keys() == ours.keys()
    for name, page in ours.items():
        assert article(theirs[name]) == article(page), name


def article(page: str) -> str:
    """The part of a page that is not the theme's."""
    return page.partition("<article")[2].partition("</article>")[0]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, unpacked as an installation has it."""
    needed("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("vadose-*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    return folder / "installed"


def run(installed: Path, code: str, folder: Path) -> str:
    """What a program says that sees the unpacked wheel and not the checkout."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.program
def test_the_wheel_holds_every_file_of_the_packages_and_of_the_site(installed: Path) -> None:
    wanted = {
        Path("vadose", path.relative_to(ROOT / room / "vadose"))
        for room in ("producer", "validation", "reports")
        for path in (ROOT / room / "vadose").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for part in ("mkdocs.yml", "docs", "overrides", "data"):
        found = [ROOT / "site" / part, *(ROOT / "site" / part).rglob("*")]
        wanted |= {Path("vadose/reports/site", path.relative_to(ROOT / "site")) for path in found if path.is_file()}
    kinds = {path.suffix for path in wanted}
    assert {".py", ".jinja", ".yaml", ".js", ".css", ".md", ".parquet"} <= kinds
    assert sorted(path for path in wanted if not (installed / path).is_file()) == []


@pytest.mark.program
def test_an_installed_wheel_reads_its_recipes(installed: Path, tmp_path: Path) -> None:
    said = run(
        installed,
        "from vadose.producer.recipefile import load_recipe, packaged_recipes as found\n"
        "[load_recipe(name) for name in found()]\nprint(*found().values())",
        tmp_path,
    )
    assert len(said.split()) == len(list((ROOT / "producer/vadose/producer/recipes").glob("*.yaml")))
    assert all(path.startswith(str(installed)) for path in said.split())


@pytest.mark.program
def test_the_wheel_makes_the_same_pages_in_an_empty_folder(installed: Path, small, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    workspace = small.write_workspace(tmp_path / "empty" / "workspace")
    ours = pages(report(workspace).docs)
    shutil.rmtree(workspace / "build")
    code = (
        "import vadose.reports as r; print(r.__file__); from vadose.cli.main import run; "
        "raise SystemExit(run(['report', '--quiet']))"
    )
    assert run(installed, code, tmp_path / "empty").startswith(str(installed))
    assert pages(workspace / "build" / "docs") == ours


def pages(docs: Path) -> dict[str, bytes]:
    """Every file of the generated documents."""
    return {path.relative_to(docs).as_posix(): path.read_bytes() for path in docs.rglob("*") if path.is_file()}
