from vadose.producer.granules.flags import ALL, FLAGS, MASK, RECOMMENDED
from vadose.producer.granules.header import flag_comment

EXCLUDED = (
    "outside_domain",
    "permanent_ice",
    "frozen_soil",
    "snow_cover",
    "radio_frequency_interference",
    "no_valid_input",
)


def test_recommended_use_is_399_in_table_and_comment(worlds):
    assert sum(MASK[name] for name in EXCLUDED) == RECOMMENDED == 399
    assert "(flag & 399) == 0, that is bits 1, 2, 4, 8, 128 and 256 unset" in flag_comment(worlds.small_recipe())


def test_masks_are_single_bits_in_order():
    assert [flag.mask for flag in FLAGS] == [1 << k for k in range(13)]
    assert ALL == 8191


def test_bit_512_is_explained_with_and_without_an_observing_input(worlds):
    assert "where no SMAP radiometer soil moisture" in flag_comment(worlds.small_recipe())
    assert "never set" in flag_comment(worlds.small_recipe(build__observing_input=None))
