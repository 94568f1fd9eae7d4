"""The program starts fast, loads only what is asked for, and fails readably."""

import json
import subprocess
import sys

import pytest

from vadose.cli.main import VERBS, run

HEAVY = ("torch", "xarray", "plotly", "pandas", "numba", "zarr", "netCDF4", "pydantic", "numpy")


def test_help_imports_nothing_heavy() -> None:
    code = (
        f"import sys; from vadose.cli.main import run; run(['--help']); print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(verb in done.stdout for verb in VERBS)


def test_validation_imports_without_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; import vadose.validation, vadose.statistics"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    assert f"vadose {verb}" in capsys.readouterr().out


def test_unknown_verb_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trian"]) == 2
    assert "trian" in capsys.readouterr().err


def test_a_gpu_is_refused_by_name_before_any_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "simulated-atlstm", "--device", "cuda"]) == 2
    assert "no device 'cuda'" in capsys.readouterr().err


def test_recipe_typo_names_the_key_and_the_nearest_one(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("recipe: a\npredictor: {}\n")
    assert run(["train", str(recipe), "--workspace", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert "predictor: unknown key 'predictor'; did you mean 'predictors'?" in err
    assert "Traceback" not in err


def test_errors_are_in_the_json_too(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "simulated-atlstm", "--json", "--workspace", str(tmp_path)]) == 3
    envelope = json.loads(capsys.readouterr().out)
    assert envelope["exit_code"] == 3
    assert envelope["failures"][0]["next"].startswith("vadose ingest")
