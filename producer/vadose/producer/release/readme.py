"""The user guide of a version, `README.md`: what it is, how to open it in each tool, what its flags mean, how to cite.

Every command names a granule of the version and a place inside its window, so that it runs as it stands from the folder
that holds the file.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from vadose.producer.granules.flags import FLAGS, RECOMMENDED
from vadose.producer.granules.wording import cell_methods, flag_comment, layer, uncertainty_comment
from vadose.producer.recipe import Recipe
from vadose.producer.release.citing import how_to_cite
from vadose.producer.release.rechunked import cube_name

PERIOD = {"daily": "day", "monthly": "month"}
MEANINGS = {
    "outside_domain": "water, too little land, or outside the region or sample of the product",
    "permanent_ice": "ice sheet or glacier",
    "frozen_soil": "top layer of the soil frozen",
    "snow_cover": "snow on the ground",
    "dense_vegetation": "vegetation above the limit of the product",
    "complex_topography": "terrain above the limit of the product",
    "wetland_or_open_water": "water fraction above the limit of the product",
    "radio_frequency_interference": "a microwave input was disturbed",
    "no_valid_input": "nothing to predict from, or frozen or under snow where the method does not cover it",
    "gap_filled": "the observing input had no valid value here",
    "value_clipped_to_physical_range": "the prediction left the physical range and was set to its end",
    "outside_training_support": "predictors unlike those of the training",
    "urban_area": "urban fraction above the limit of the product",
}
CUBE = """
The same, in chunks in which the days of a cell lie together (needs zarr):

```python
series = xr.open_zarr("{}")
```
"""
CDO = """
With CDO, which has no operators for bits: bits 1, 2, 4 and 8 are the rest of the flag by 16, and bits 128 and 256 make
its rest by 512 at least 128; a division by zero is missing.

```bash
cdo -s outputtab,date,lat,lon,value -remapnn,lon={lon}/lat={lat} -selname,sm {path}
cdo -s -expr,'good=sm/((flag-16*int(flag/16)==0)*(flag-512*int(flag/512)<128))' {path} good.nc
```
"""


def readme(recipe: Recipe, path: str) -> str:
    """The whole guide.

    Parameters
    ----------
    recipe
        What describes the product.
    path
        A granule inside the version, which the examples open.
    """
    product = recipe.product
    grid = product.grid.grid()
    rows, columns = grid.dims
    return f"""# {product.title}, version {product.version}

{product.summary}

- Days: {product.days[0]} to {product.days[1]}, one file a {PERIOD[product.step]}, stream {product.stream}
- Grid: {product.grid.token}, {grid.shape[0]} x {grid.shape[1]} cells ({rows}, {columns})
- Layer: {layer(product.depth_m)}; `{cell_methods(product)}`
- Trained on: {product.target}
- Licence: {product.licence}

{_python(recipe, path)}
{_other_tools(recipe, path)}
## What the variables mean

`sm` is volumetric soil moisture in m3 m-3, missing over water and wherever there was nothing to predict from.

`sm_uncertainty` is its standard uncertainty. {uncertainty_comment(recipe)}

`flag` is a bit field. {flag_comment(recipe)}

{_flag_table()}

{_folder(recipe)}
## Cite it

{how_to_cite(recipe)}

{product.acknowledgement}
"""


def _python(recipe: Recipe, path: str) -> str:
    lat, lon = _place(recipe)
    dims = "" if not recipe.product.grid.grid().is_ease2 else '.swap_dims(y="lat", x="lon")'
    cube = CUBE.format(cube_name(recipe)) if recipe.build.cube else ""
    return f"""## Open it in Python

```python
import xarray as xr
ds = xr.open_dataset("{path}")
good = ds.sm.where((ds.flag & {RECOMMENDED}) == 0)                        # the recommended use
masks = dict(zip(ds.flag.flag_meanings.split(), ds.flag.flag_masks))          # all flags by name
strict = ds.sm.where((ds.flag & ({RECOMMENDED} | masks["dense_vegetation"] | masks["gap_filled"])) == 0)
place = good{dims}.sel(lat={lat}, lon={lon}, method="nearest")
```

All files of a folder (needs dask):

```python
some = xr.open_mfdataset("{PurePosixPath(path).parent}/*.nc", data_vars="minimal", coords="minimal", compat="equals",
                         join="exact")
```

The whole record as one dataset (needs kerchunk):

```python
series = xr.open_mfdataset("refs/*.json", engine="kerchunk", chunks={{}}, combine="nested", concat_dim="time",
                           data_vars="minimal", coords="minimal", compat="override",
                           storage_options={{"template_overrides": {{"root": "."}}}})
```
{cube}"""


def _other_tools(recipe: Recipe, path: str) -> str:
    lat, lon = _place(recipe)
    grid = recipe.product.grid.grid()
    cdo = "" if grid.is_ease2 else CDO.format(lat=lat, lon=lon, path=path)
    _, columns = grid.dims
    return f"""## Open it in other tools

With GDAL, or in QGIS by the same name: the value and the flag of a place (longitude first), and a GeoTIFF.

```bash
gdallocationinfo -valonly -wgs84 NETCDF:"{path}":sm {lon} {lat}
gdallocationinfo -valonly -wgs84 NETCDF:"{path}":flag {lon} {lat}
gdal_translate -q NETCDF:"{path}":sm sm.tif
```
{cdo}
With R and ncdf4:

```r
library(ncdf4)
granule <- nc_open("{path}")
sm <- ncvar_get(granule, "sm")                      # ({columns} first), missing is NA
flag <- ncvar_get(granule, "flag")
sm[bitwAnd(as.integer(flag), {RECOMMENDED}L) != 0] <- NA      # the recommended use
lon <- ncvar_get(granule, "lon")
lat <- ncvar_get(granule, "lat")
print(sm[which.min(abs(lon - ({lon}))), which.min(abs(lat - ({lat})))], digits = 7)
```

With the program that made it, also from a URL in place of the point:

```bash
vadose extract . --lat {lat} --lon {lon}
```
"""


def _place(recipe: Recipe) -> tuple[float, float]:
    """Centre of the middle cell of the window, degrees."""
    grid = recipe.product.grid.grid()
    return round(float(grid.lat[grid.lat.size // 2]), 4), round(float(grid.lon[grid.lon.size // 2]), 4)


def _flag_table() -> str:
    lines = ["| bit | name | meaning | in the recommended use |", "|---:|---|---|---|"]
    lines += [
        f"| {flag.mask} | `{flag.name}` | {MEANINGS[flag.name]} | {'left out' if flag.excluded else 'kept'} |"
        for flag in FLAGS
    ]
    return "\n".join(lines)


def _folder(recipe: Recipe) -> str:
    cube = "| `cube/` | the same values as one Zarr store, chunked for series |\n" if recipe.build.cube else ""
    return f"""## What is in this folder

| name | content |
|---|---|
| `CHANGELOG.md`, `KNOWN_ISSUES.md` | what changed against the version before, and what is known to be wrong |
| `manifest.json`, `SHA256SUMS` | every file with its size and hashes |
| `gate.json` | the checks that this version passed, and exceptions with their reasons |
| `quality/coverage.csv` | per {PERIOD[recipe.product.step]}: cells expected and given, share of each flag, mean |
| `quality/validation/` | scores against stations and other products, with intervals |
| `provenance/` | inputs with their SHA-256, recipe, model, software |
| `static/` | what does not change from file to file: the domain, and the maps that were used |
| `quicklook/` | pictures |
| `refs/` | virtual references that open many files as one |
{cube}| `stac/`, `datacite.json`, `dataset.jsonld`, `CITATION.cff` | the same description for catalogues |

`sha256sum -c SHA256SUMS`, with `--ignore-missing` for a part of the files, or `vadose verify .`, checks a copy.
"""
