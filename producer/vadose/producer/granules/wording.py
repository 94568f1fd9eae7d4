"""What attributes say in words: comments, the layer, the moment of a value."""

from __future__ import annotations

from vadose.producer.granules.flags import FLAGS, RECOMMENDED
from vadose.producer.granules.periods import is_mean, is_native_monthly
from vadose.producer.recipe import Product, Recipe
from vadose.producer.vocabulary import VOCABULARY

# A monthly mean has at least so many days, and so has the input of a native month.
FEWEST_DAYS = 10

SOLAR_COMMENT = (
    "Values hold at 06:00 local mean solar time, that is (6 - longitude/15) modulo 24 h UTC of this UTC day."
)
SOLAR_MEAN_COMMENT = SOLAR_COMMENT.replace("Values hold", "The daily values hold")
MEAN_COMMENT = (
    f"Mean of the days with the recommended use, of at least {FEWEST_DAYS}; number_of_observations counts them."
)
NATIVE_COMMENT = (
    "The method predicts the month as a whole; number_of_observations counts the days on which every required input "
    f"had a value, at least {FEWEST_DAYS}."
)
WATER_COMMENT = (
    "The inputs see liquid water; where the soil is frozen (see flag) the value is not the total water content."
)
UNIT_WORD = {False: "day", True: "month"}
MONTH_BITS = {
    False: "Bits that change from day to day are set where they are on at least half of the days of the month.",
    True: "Bits 4 and 8 are set where they are on at least half of the days of the month.",
}


def cell_methods(product: Product) -> str:
    """`cell_methods` of the soil moisture."""
    time = "mean" if is_mean(product) else "point"
    return f"time: {time} depth: mean area: mean where land"


def layer(depth_m: tuple[float, float]) -> str:
    """The layer in words: `0-5 cm`."""
    return f"{depth_m[0] * 100:g}-{depth_m[1] * 100:g} cm"


def moment(product: Product) -> str:
    """What a value stands for in time, in words."""
    solar = product.day == "solar06"
    if product.step == "monthly":
        return "monthly mean of values at 06:00 local solar time" if solar else "monthly mean"
    return "at 06:00 local solar time" if solar else "daily mean"


def moisture_comment(recipe: Recipe) -> str:
    """The comment of the soil moisture."""
    solar = recipe.product.day == "solar06"
    if recipe.product.step == "daily":
        return f"{WATER_COMMENT} {SOLAR_COMMENT}" if solar else WATER_COMMENT
    how = NATIVE_COMMENT if is_native_monthly(recipe) else MEAN_COMMENT
    return " ".join([WATER_COMMENT, how, *([SOLAR_MEAN_COMMENT] if solar else [])])


def uncertainty_comment(recipe: Recipe) -> str:
    """The comment of the uncertainty."""
    target = recipe.product.target
    if recipe.product.step == "monthly" and not is_native_monthly(recipe):
        return (
            "Mean of the daily uncertainties, as if errors were fully correlated within the month, which is "
            "conservative. Those are calibrated on held-out values of the training target, "
            f"{target}, whose own error is not included."
        )
    return (
        f"Calibrated on held-out values of the training target, {target}; sm plus or minus "
        "1.645 times this is the calibrated 90 % interval. The error of the target itself is not included."
    )


def flag_comment(recipe: Recipe) -> str:
    """What the flag says, the recommended use, and when bit 512 is set."""
    excluded = [str(flag.mask) for flag in FLAGS if flag.excluded]
    bits = f"{', '.join(excluded[:-1])} and {excluded[-1]}"
    use = f"Recommended use: keep cells where (flag & {RECOMMENDED}) == 0, that is bits {bits} unset."
    observing = recipe.build.observing_input
    monthly = recipe.product.step == "monthly"
    if observing is None:
        filled = (
            f"Bit 512 is never set: no input of this product observes the soil moisture of the {UNIT_WORD[monthly]}."
        )
    else:
        text = recipe.build.observing_input_text or VOCABULARY[observing].long_name
        often = " on at least half of the days" if monthly and not is_native_monthly(recipe) else ""
        filled = f"Bit 512 is set where no {text} of that {'month' if monthly and not often else 'day'} went in{often}."
    if monthly:
        filled += f" {MONTH_BITS[is_native_monthly(recipe)]}"
    return f"Several bits may be set; every cell has a value. {use} {filled}"
