"""Streams, waivers and repairs of a recipe: what does not fit together is refused when it is read."""

from datetime import date

import pydantic
import pytest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"product__stream": "CDR", "product__icdr_from": "2016-01-01"}, "belongs to stream ICDR"),
        ({"product__icdr_from": "2015-12-20"}, "is not inside days"),
        ({"product__icdr_from": "2016-02-06"}, "is not inside days"),
        ({"product__step": "monthly", "product__icdr_from": "2016-01-15"}, "cuts a month"),
        ({"product__stream": "NRT"}, "preliminary: true"),
        ({"waivers": [{"check": "days", "reason": " ", "expires": "2.0.0"}]}, "reason"),
        ({"waivers": [{"check": "days", "reason": "a gap", "expires": "some day"}]}, "expires"),
        ({"waivers": [{"check": "days", "reason": "a gap"}]}, "expires"),
        ({"repairs": [{"days": ["2016-01-02", "2016-01-01"], "reason": "holes"}]}, "ends before it begins"),
        ({"repairs": [{"days": ["2016-01-02", "2016-01-02"], "reason": ""}]}, "reason"),
    ],
)
def test_a_recipe_whose_parts_do_not_fit_is_refused(worlds, changes, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        worlds.small_recipe(**changes)


def test_preliminary_inputs_are_for_nrt_alone(worlds):
    early = [{**worlds.recipe_values()["inputs"][0], "preliminary": True}]
    assert worlds.small_recipe(product__stream="NRT", inputs=early).product.folder == "nrt"
    with pytest.raises(pydantic.ValidationError, match="small world: preliminary inputs belong to stream NRT"):
        worlds.small_recipe(inputs=early)


def test_a_day_before_icdr_from_is_cdr(worlds):
    product = worlds.small_recipe(product__icdr_from="2016-01-01").product
    assert [product.stream_of(date(2015, 12, 31)), product.stream_of(date(2016, 1, 1))] == ["CDR", "ICDR"]
    assert worlds.small_recipe(product__stream="CDR").product.stream_of(date(2015, 12, 31)) == "CDR"
