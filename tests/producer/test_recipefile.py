"""Recipes as files: what extends another one differs in what it says alone, and wrong extensions are named."""

from pathlib import Path

import pytest
import yaml

from vadose.common import UsageError
from vadose.producer.recipefile import load_recipe, packaged_recipes


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
