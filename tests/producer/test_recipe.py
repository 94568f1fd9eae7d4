"""Recipes are strict: a typo names the key and the nearest valid one."""

from pathlib import Path

import pytest
import yaml

from vadose.common import UsageError
from vadose.producer.recipefile import load_recipe, packaged_recipes


@pytest.mark.parametrize("name", packaged_recipes())
def test_packaged_recipes_load_under_their_own_name(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.recipe == name
    assert recipe.product.id == f"{recipe.product.token}-{recipe.product.grid.token}".lower()


def edited(tmp_path: Path, **changes: object) -> Path:
    values = yaml.safe_load(packaged_recipes()["simulated-atlstm"].read_text())
    for path, value in changes.items():
        section, _, key = path.rpartition("__")
        (values[section] if section else values)[key] = value
    target = tmp_path / "r.yaml"
    target.write_text(yaml.safe_dump(values))
    return target


def test_nested_typo_names_its_path_and_the_nearest_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"product\.versoin: unknown key 'versoin'; did you mean 'version'\?"):
        load_recipe(str(edited(tmp_path, product__versoin="1.0.0")))


def test_unknown_variable_names_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'precipitation'"):
        load_recipe(str(edited(tmp_path, predictors={"daily": ["precipitaton"]})))


def test_window_outside_the_grid_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"product\.grid.*720 x 1440"):
        load_recipe(str(edited(tmp_path, product__grid={"token": "0P25DEG", "rows": [0, 800], "columns": [0, 10]})))


def test_unknown_recipe_names_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'simulated-atlstm'"):
        load_recipe("simulated-atlst")
    with pytest.raises(UsageError, match="unknown recipe 'nnn"):
        load_recipe("n" * 300)


def test_hash_ignores_comments_and_order(tmp_path: Path) -> None:
    path = edited(tmp_path)
    first = load_recipe(str(path)).sha256
    path.write_text("# a comment\n" + yaml.safe_dump(yaml.safe_load(path.read_text()), sort_keys=False))
    assert load_recipe(str(path)).sha256 == first


def test_broken_yaml_says_where(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("a: [1\n")
    with pytest.raises(UsageError, match=r"not valid YAML.*r\.yaml"):
        load_recipe(str(tmp_path / "r.yaml"))


@pytest.mark.parametrize("name", ["../../escape", "/escape", "a/b", ".hidden", "", "nul\0byte"])
def test_a_cube_whose_name_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"cube: String should match pattern"):
        load_recipe(str(edited(tmp_path, cube=name)))
    with pytest.raises(UsageError, match=r"stations\.insitu: String should match pattern"):
        load_recipe(str(edited(tmp_path, stations={"insitu": name})))
