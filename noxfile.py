"""What a newcomer and a maintainer run: `nox -s demo`, `nox -s tests`, and the rest of `nox -l`."""

import os
from pathlib import Path

import nox

nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests", "lint"]
nox.options.default_venv_backend = "virtualenv"

HERE = Path(__file__).parent


def install(session: nox.Session, *extras: str) -> None:
    """Install the checkout with the pinned versions."""
    session.install("-e", f".[{','.join(extras)}]", "-c", "constraints.txt")


@nox.session
def demo(session: nox.Session) -> None:
    """The whole job on the simulated world, from nothing to a site: `nox -s demo [-- --out DIR]`."""
    install(session, "all")
    session.run("vadose", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests in two processes: `nox -s tests [-- PYTEST ARGUMENTS]`; `-n 0` runs them in one."""
    install(session, "all", "test")
    pytest = ("pytest", "-q", "-n", "2", "--dist", "loadscope", "--no-loadscope-reorder", "--benchmark-disable")
    session.run(*pytest, *session.posargs, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types and the rules between rooms."""
    install(session, "all", "test", "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")
    hidden = [str(path.relative_to(HERE)) for path in HERE.glob("*/vadose/__init__.py")]
    if hidden:
        session.error(f"a namespace package has no __init__.py: {', '.join(hidden)}")


@nox.session
def lean(session: nox.Session) -> None:
    """Validation installs and imports without torch, reports without torch and xgboost."""
    session.install(".[validation]", "-c", "constraints.txt")
    session.run("python", "-c", "import vadose.validation, importlib.util as u; assert u.find_spec('torch') is None")
    session.run("pip", "uninstall", "-q", "-y", "vadose")
    session.install(".[reports]", "-c", "constraints.txt")
    session.run(
        "python",
        "-c",
        "import vadose.reports, importlib.util as u; assert not (u.find_spec('torch') or u.find_spec('xgboost'))",
    )


@nox.session
def bench(session: nox.Session) -> None:
    """Speed as ratios to named rivals in the same run; writes site/data/speed/speed.json."""
    install(session, "all", "test", "bench")
    times = str(Path(session.create_tmp()) / "times.json")
    bench = ("pytest", "-q", "-o", "python_files=bench_*.py", "-o", "python_functions=bench_*", "tests/bench")
    session.run(*bench, f"--benchmark-json={times}", *session.posargs)
    session.run("python", "tests/bench/ratios.py", times, "site/data/speed/speed.json", "nox -s bench")


@nox.session
def skill(session: nox.Session) -> None:
    """The experiments: on real data, on the simulated world, and the trial of the intervals; writes below site/data/.

    The fits on CONUS-412 are kept and go on where they stopped: `nox -s skill -- --hours 3`.
    """
    install(session, "all")
    data = os.environ.get("VADOSE_DATA", str(HERE.parent / "shared" / "data"))
    native = ("--native", f"{data}/conus412", "--publish-to", "site/data/skill")
    session.run("vadose", "compare", "conus412-atlstm", *native, *session.posargs)
    session.run("python", "-m", "vadose.validation.experiments", data, "site/data/validation", "nox -s skill")
    session.run("python", "tests/statistics/coverage_table.py", "site/data/skill", "1000", "nox -s skill")
    _published_systems(session, data)


def _published_systems(session: nox.Session, data: str) -> None:
    """What each published system claims, tried on the simulated world and on what real data allow."""
    workspace, results = "workspace-experiments", "site/data/experiments"
    world = f"{workspace}/native/simulated/demo"
    stations = f"{world}/stations/ismn"
    systems = ("glass-avhrr-sm", "mlstm-correction", "stsg-sm", "tc-lstm-downscaling", "tssmnet-smap")
    session.run("python", "-m", "vadose.producer.experiments.design", results, *systems)
    session.run("vadose", "fetch", "simulated", "--products", "all", "--workspace", workspace)
    for recipe in ("simulated-mlstm", "simulated-stsg-sm", "simulated-tc-merge", "simulated-tssmnet"):
        session.run("vadose", "ingest", recipe, "--workspace", workspace)
    session.run("vadose", "ingest", "stations", stations, "--name", "simulated", "--workspace", workspace)
    run = ("python", "-m")
    package = "vadose.producer.experiments"
    session.run(*run, f"{package}.merging", data, f"{results}/tc-lstm-downscaling", "nox -s skill")
    session.run(*run, f"{package}.twin", f"{results}/tc-lstm-downscaling", "nox -s skill")
    session.run(*run, f"{package}.predictors", f"{results}/tc-lstm-downscaling")
    parents = f"{workspace}/cubes/simulated-parents.zarr"
    session.run(*run, f"{package}.parents", parents, world, f"{results}/tc-lstm-downscaling")
    session.run(*run, f"{package}.descriptors", "workspace/cubes/conus412.zarr", f"{results}/tssmnet-smap")
    session.run(*run, f"{package}.reconstruction", workspace, world, f"{results}/tssmnet-smap")
    session.run(*run, f"{package}.emulation", f"{workspace}/runs/emulation", f"{results}/glass-avhrr-sm")
    session.run(*run, f"{package}.correction", workspace, f"{results}/mlstm-correction", "nox -s skill")
    session.run("vadose", "train", "simulated-mlstm", "--workspace", workspace)
    session.run(*run, f"{package}.boxes", workspace, world, f"{results}/mlstm-correction")
    session.run(*run, f"{package}.gapfilling", workspace, world, f"{results}/stsg-sm")


@nox.session
def faults(session: nox.Session) -> None:
    """Kills, full disks and mutated inputs at random, from a seed: 200, 20 and 10,000 of them, about an hour."""
    install(session, "all", "test")
    out = Path(session.create_tmp())
    session.run("python", "tests/faults/kills.py", "--kills", "200", "--disks", "20", "--out", str(out / "kills"))
    session.run("python", "tests/faults/fuzz.py", "--count", "10000", "--out", str(out / "fuzz"))


@nox.session
def recipes(session: nox.Session) -> None:
    """The user guide's recipes for GDAL, CDO and R; needs Debian's gdal-bin, cdo and r-cran-ncdf4."""
    install(session, "all", "test")
    session.run("pytest", "-q", "-o", "python_files=recipe_*.py", "tests/recipes", *session.posargs)


@nox.session
def site(session: nox.Session) -> None:
    """The site alone: its tests, with the HTML validator and linkchecker; needs npm and Java."""
    install(session, "all", "test", "site")
    with session.chdir("site/js"):
        session.run("npm", "ci", "--silent", external=True)
    checks = {"NO_MKDOCS_2_WARNING": "1", "VADOSE_SITE_CHECKS": "1"}
    session.run("pytest", "-q", "tests/reports", *session.posargs, env=checks)


@nox.session
def scale(session: nox.Session) -> None:
    """A site of 2,000 stations, five products, ten years and twenty versions of 14,600 granules within two minutes."""
    install(session, "all", "test")
    session.run("python", "tests/reports/scale.py", session.create_tmp(), *session.posargs)


@nox.session(venv_backend="none")
def vendor(session: nox.Session) -> None:
    """Rebuild the vendored scripts from npm and compare them with the committed ones."""
    session.chdir("site/js")
    session.run("npm", "ci", external=True)
    session.run("npm", "run", "build", external=True)
    session.run("git", "diff", "--exit-code", "--", "../docs/assets", "../../tests/vendor", external=True)
