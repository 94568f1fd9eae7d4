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


def written(folder: Path, **values: object) -> str:
    path = folder / f"{values['recipe']}.yaml"
    path.write_text(yaml.safe_dump(values))
    return str(path)


def test_a_recipe_that_extends_another_differs_in_what_it_says_alone(tmp_path: Path) -> None:
    base = yaml.safe_load(packaged_recipes()["stsg-sm"].read_text())
    found = load_recipe(written(tmp_path, recipe="mine", extends="stsg-sm", product={"token": "MINE"}, gates=[]))
    expected = {**base, "recipe": "mine", "product": {**base["product"], "token": "MINE"}, "gates": []}
    assert found.model_dump() == load_recipe(written(tmp_path, **expected)).model_dump()


def test_a_variant_becomes_the_method_and_the_method_a_variant(tmp_path: Path) -> None:
    base = load_recipe("stsg-sm")
    found = load_recipe("stsg-sm-l1")
    assert (found.method.name, found.method.settings) == ("drcgan", base.method.variants["drcgan-l1-only"].settings)
    assert found.method.variants["drcgan"].settings == base.method.settings
    assert "drcgan-l1-only" not in found.method.variants
    assert found.method.split == base.method.split
    other = load_recipe(written(tmp_path, recipe="trees", extends="tssmnet-smap", variant="xgboost-descriptors"))
    assert other.method.name == "xgboost-descriptors"


def test_a_method_that_is_named_brings_its_own_settings(tmp_path: Path) -> None:
    method = {"name": "cdf-matching", "settings": {"product": "noah_sm"}}
    found = load_recipe(written(tmp_path, recipe="mine", extends="stsg-sm", method=method))
    assert found.method.settings == {"product": "noah_sm"}
    assert found.method.ensemble == load_recipe("stsg-sm").method.ensemble


def test_a_recipe_may_extend_a_file_beside_it(tmp_path: Path) -> None:
    written(tmp_path, recipe="first", extends="stsg-sm", variant="noah-matched")
    found = load_recipe(written(tmp_path, recipe="second", extends="first.yaml", variant="drcgan"))
    assert found.method.name == "drcgan"
    assert found.method.settings == load_recipe("stsg-sm").method.settings
    assert {"cdf-matching", "drcgan-l1-only"} == set(found.method.variants)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"extends": "stsg-s"}, "extends: unknown recipe 'stsg-s'; did you mean 'stsg-sm'"),
        (
            {"extends": "stsg-sm", "variant": "drcgan-l1"},
            "variant: unknown variant 'drcgan-l1'; did you mean 'drcgan-l1-only'",
        ),
        ({"extends": "mine.yaml"}, "extends: mine.yaml extends this recipe in turn"),
        ({"extends": "stsg-sm", "prodct": {}}, "unknown key 'prodct'; did you mean 'product'"),
        ({"variant": "x"}, "variant: names a variant of the recipe that is extended, and there is none"),
        ({"extends": ["a"]}, "extends: unknown recipe"),
        ({"extends": "n" * 300}, "extends: unknown recipe"),
        ({"extends": "odd.yaml", "variant": "plain"}, "method"),
        ({"extends": "odd.yaml", "variant": "other"}, "variant: unknown variant 'other'"),
    ],
)
def test_wrong_extensions_are_named(tmp_path: Path, values: dict, message: str) -> None:
    (tmp_path / "odd.yaml").write_text("method: {variants: {plain: 5}}")
    with pytest.raises(UsageError) as caught:
        load_recipe(written(tmp_path, recipe="mine", **values))
    assert message in str(caught.value)
