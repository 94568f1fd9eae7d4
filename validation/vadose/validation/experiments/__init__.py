"""What the suite says about real data; each writes tables for a page.

`python -m vadose.validation.experiments DATA site/data/validation` reads the pack of real data and writes its figures;
`data` is that folder everywhere.
"""

from vadose.validation.experiments.collocated import hawaii_triplets
from vadose.validation.experiments.mapped import granule_maps
from vadose.validation.experiments.networks import uscrn_funnel, yanco_scores
from vadose.validation.experiments.stable import cci_stability

__all__ = ["cci_stability", "granule_maps", "hawaii_triplets", "uscrn_funnel", "yanco_scores"]
