"""Names of the classes that strata and stations carry as codes."""

from __future__ import annotations

# Legend of the ESA CCI land-cover maps, product user guide 2.0, table 3-1.
LAND_COVER = {
    "10": "cropland, rainfed",
    "11": "cropland, rainfed, herbaceous",
    "12": "cropland, rainfed, tree or shrub",
    "20": "cropland, irrigated or post-flooding",
    "30": "mosaic of cropland and natural vegetation",
    "40": "mosaic of natural vegetation and cropland",
    "50": "tree cover, broadleaved, evergreen",
    "60": "tree cover, broadleaved, deciduous",
    "61": "tree cover, broadleaved, deciduous, closed",
    "62": "tree cover, broadleaved, deciduous, open",
    "70": "tree cover, needleleaved, evergreen",
    "71": "tree cover, needleleaved, evergreen, closed",
    "72": "tree cover, needleleaved, evergreen, open",
    "80": "tree cover, needleleaved, deciduous",
    "81": "tree cover, needleleaved, deciduous, closed",
    "82": "tree cover, needleleaved, deciduous, open",
    "90": "tree cover, mixed leaf type",
    "100": "mosaic of trees, shrubs and herbs",
    "110": "mosaic of herbs, trees and shrubs",
    "120": "shrubland",
    "121": "shrubland, evergreen",
    "122": "shrubland, deciduous",
    "130": "grassland",
    "140": "lichens and mosses",
    "150": "sparse vegetation",
    "151": "sparse trees",
    "152": "sparse shrubs",
    "153": "sparse herbs",
    "160": "tree cover, flooded, fresh or brackish water",
    "170": "tree cover, flooded, saline water",
    "180": "shrubs or herbs, flooded",
    "190": "urban areas",
    "200": "bare areas",
    "201": "bare areas, consolidated",
    "202": "bare areas, unconsolidated",
    "210": "water bodies",
    "220": "permanent snow and ice",
}
WORDS = {
    "DJF": "December to February", "MAM": "March to May", "JJA": "June to August", "SON": "September to November",
    "wet_half": "wet half of the year", "dry_half": "dry half of the year", "dry_down": "dry-down",
    "freeze_margin": "within 5 days of frost", "wet": "wetter than 0.4 m³ m⁻³", "not_wet": "not wetter than 0.4 m³ m⁻³",
    "gap_1_3": "gap of 1 to 3 days", "gap_4_15": "gap of 4 to 15 days", "gap_16_60": "gap of 16 to 60 days",
    "gap_over_60": "gap of more than 60 days",
}  # fmt: skip
# Kinds of strata in the order of a page; others follow by name.
KINDS = (
    "network", "reference_class", "land_cover", "climate_main", "climate", "soil", "depth", "season", "local_season",
    "half_year", "year", "moisture_decile", "wet", "day_type", "gap",
)  # fmt: skip
KIND_WORDS = {
    "climate_main": "main climate",
    "local_season": "season of the place",
    "half_year": "half of the year",
    "moisture_decile": "decile of the reference",
    "wet": "wetness of the reference",
    "day_type": "kind of day",
    "gap": "gap",
}
_ORDER = (*WORDS, "winter", "spring", "summer", "autumn")


def land_cover(code: str) -> str:
    """The name of a land-cover class; anything but a known code is returned as it is.

    >>> land_cover("130"), land_cover("130.0"), land_cover("heath")
    ('grassland', 'grassland', 'heath')
    """
    return LAND_COVER.get(code.removesuffix(".0"), code)


def class_name(kind: str, name: str) -> str:
    """A class of one kind of stratum in words."""
    if kind == "land_cover":
        return land_cover(name)
    if kind == "moisture_decile":
        return name.replace("decile_0", "decile ").replace("decile_", "decile ")
    return WORDS.get(name, name)


def kind_name(kind: str) -> str:
    """A kind of stratum in words."""
    return KIND_WORDS.get(kind, kind.replace("_", " "))


def kind_order(kind: str) -> tuple[int, str]:
    """Sorts kinds of strata."""
    return (KINDS.index(kind) if kind in KINDS else len(KINDS), kind)


def class_order(kind: str, name: str) -> tuple[int, float, str]:
    """Sorts classes: seasons by the year, codes by number, everything else by name."""
    place = _ORDER.index(name) if name in _ORDER else 0
    number = float(name) if name.replace(".", "", 1).isdigit() else 0.0
    return (place, number, name)


def stated_class(stratum: str) -> str:
    """A class of the judged uncertainty in words: `land_cover 130` becomes `grassland`."""
    kind, mark, name = stratum.partition(" ")
    if mark and kind == "land_cover":
        return land_cover(name)
    return "all days" if stratum == "all" else stratum
