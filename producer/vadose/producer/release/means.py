"""Area-weighted means of areas, day by day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vadose.common import Progress
from vadose.producer.granules.flags import FLAGS, MASK, OUTSIDE_DOMAIN, RECOMMENDED, WITHOUT_VALUE
from vadose.producer.granules.header import FILL
from vadose.producer.release.areas import Area, Cover, cover
from vadose.producer.release.series import Fields, Places, Series, Source, read_days

LEAST_COVERAGE = 0.5


def read_means(source: Source, areas: Sequence[Area], first: np.datetime64 | None, last: np.datetime64 | None,
               progress: Progress, threads: int = 1, *, mask: int = RECOMMENDED,
               least: float = LEAST_COVERAGE) -> Series:  # fmt: skip
    """Mean of every area, weighted by the covered area of each cell on the ellipsoid.

    Parameters
    ----------
    source, first, last, progress, threads
        As for `read_series`.
    areas
        One outside the product's window is a `UsageError`.
    mask
        Cells with any of these bits of the flag stay out of the mean.
    least
        A day has a mean where the cells in it cover at least this share of the area inside the product's domain.

    Returns
    -------
    Series
        `sm_uncertainty` is the mean of the cells' (their errors taken as fully correlated); a bit of `flag` is set
        where at least half of the area inside the domain has it.
    """
    grid = source.recipe().product.grid.grid()
    covers = [cover(grid, area) for area in areas]
    rows, columns = (np.concatenate([getattr(one, name) for one in covers]) for name in ("rows", "columns"))
    weights = Weights(covers)
    days, found = read_days(
        source, rows, columns, first, last, progress, threads, lambda fields: weights.means(fields, mask, least)
    )
    lat, lon = (np.array(values) for values in zip(*(area.place for area in areas), strict=True))
    return Series(
        days, tuple(area.name for area in areas), lat, lon, lat, lon, found["sm"], found["sm_uncertainty"],
        found["flag"], domain_share=found["domain_share"].max(axis=0), coverage=found["coverage"],
    )  # fmt: skip


class Weights:
    """Sums over the cells of each area, whose cells lie one after the other."""

    def __init__(self, covers: Sequence[Cover]) -> None:
        self._starts = np.cumsum([0, *(one.rows.size for one in covers[:-1])])
        self._part = np.concatenate([one.part for one in covers])

    def total(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Sum over the cells of each area of the values times the cell's part of the area, (area,)."""
        return np.asarray(np.add.reduceat(self._part * np.asarray(values), self._starts), np.float64)

    def means(self, fields: Fields, mask: int, least: float) -> Fields:
        """What `read_means` keeps of a day, from the fields of all cells as stored."""
        flag = fields["flag"]
        inside = (flag & OUTSIDE_DOMAIN) == 0
        used = (fields["sm"] != FILL) & ((flag & mask) == 0)
        domain, covered = self.total(inside), self.total(used)
        coverage = np.divide(covered, domain, out=np.zeros_like(domain), where=domain > 0)
        given = (covered > 0) & (coverage >= least)
        means = {
            name: np.divide(
                self.total(np.where(used, fields[name], 0.0)), covered, out=np.full(domain.size, np.nan), where=given
            ).astype(np.float32)
            for name in ("sm", "sm_uncertainty")
        }
        return means | {"flag": self._flag(flag, inside, domain, given), "coverage": coverage, "domain_share": domain}

    def _flag(self, flag: npt.NDArray[np.int16], inside: npt.NDArray[np.bool_], domain: npt.NDArray[np.float64],
              given: npt.NDArray[np.bool_]) -> npt.NDArray[np.int16]:  # fmt: skip
        found = np.zeros(domain.size, np.int16)
        for item in FLAGS:
            common = 2.0 * self.total(inside & ((flag & item.mask) != 0)) >= domain
            found |= np.where(common & (domain > 0), item.mask, 0).astype(np.int16)
        found = np.where(given, found & ~WITHOUT_VALUE, found | MASK["no_valid_input"])
        return np.where(domain > 0, found, OUTSIDE_DOMAIN).astype(np.int16)


def area_cells(source: Source, areas: Sequence[Area]) -> Places:
    """Every cell that an area covers, wholly or in part, named by its area and a number."""
    grid = source.recipe().product.grid.grid()
    names: list[str] = []
    found = []
    for area in areas:
        one = cover(grid, area)
        names += [f"{area.name} {k}".strip() for k in range(1, one.rows.size + 1)]
        found.append((grid.lat[one.rows], grid.lon[one.columns], one.share))
    lat, lon, share = (np.concatenate(part) for part in zip(*found, strict=True))
    return Places(tuple(names), lat, lon, share)
