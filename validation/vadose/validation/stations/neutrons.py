"""What a cosmic-ray neutron probe sees: penetration depth and the weights of layers.

Schroen, M. et al. (2017): Improving calibration and validation of cosmic-ray neutron sensors in the light of spatial
sensitivity. Hydrol. Earth Syst. Sci. 21, 5009-5030, doi 10.5194/hess-21-5009-2017, equations 4 and 5 (appendix A).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CM_PER_M = 100.0


def penetration_depth(moisture: npt.ArrayLike, distance_m: npt.ArrayLike = 0.0, bulk_density: float = 1.4) -> Floats:
    """Depth in m above which 86 % of the neutrons had contact with the soil.

    Parameters
    ----------
    moisture
        m3 m-3, lattice water included.
    distance_m
        From the probe.
    bulk_density
        g cm-3.
    """
    theta, r = np.asarray(moisture, float), np.asarray(distance_m, float)
    shape = 0.96655 + np.exp(-r / 100.0)
    return np.asarray((8.321 + 0.14249 * shape * (20.0 + theta) / (0.0429 + theta)) / bulk_density / CM_PER_M)


def layer_weights(
    depth_m: npt.ArrayLike, moisture: float, distance_m: float = 0.0, bulk_density: float = 1.4
) -> Floats:
    """Weights of layers at depths in m, exp(-2 d / D86), with sum 1; for products that have layers."""
    weights = np.exp(-2.0 * np.asarray(depth_m, float) / penetration_depth(moisture, distance_m, bulk_density))
    return np.asarray(weights / weights.sum())
