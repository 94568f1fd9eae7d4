"""Series out of a release at a URL: the chunks of granules through the virtual references."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pydantic
import yaml

from vadose.common import InputError
from vadose.producer.granules.names import parse_name
from vadose.producer.recipe import Recipe
from vadose.producer.release.cube_series import CubeSeries, open_cube
from vadose.producer.release.fetching import Fetch, fetcher
from vadose.producer.release.folder import MANIFEST
from vadose.producer.release.references import FOLDER as REFS
from vadose.producer.release.references import ROOT, decoded_chunk
from vadose.producer.release.series import FIELDS, Cells, by_chunk


@dataclass
class RemoteRelease:
    """A version at a URL; only its manifest, references and the chunks that are asked for are read."""

    url: str
    fetch: Fetch = field(init=False)
    _listed: dict[str, dict[str, Any]] = field(init=False, default_factory=dict)
    _years: dict[str, dict[str, Any]] = field(init=False, default_factory=dict)
    _recipe: Recipe | None = field(init=False, default=None)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.fetch = fetcher(self.url)
        try:
            manifest = json.loads(self.fetch(MANIFEST, None))
            self._listed = {item["path"]: item for item in manifest["files"] if item["status"] == "published"}
        except (ValueError, KeyError, TypeError) as error:
            raise InputError("not the manifest of a release", where=f"{self.url}/{MANIFEST}") from error

    @property
    def name(self) -> str:
        """Product and version."""
        return "/".join(self.url.rstrip("/").split("/")[-2:])

    def read(self, name: str) -> bytes:
        """A listed file; other bytes than the manifest says are an `InputError`."""
        if name not in self._listed:
            raise InputError(f"the release has no {name}", where=self.url)
        raw = self.fetch(name, None)
        if hashlib.sha256(raw).hexdigest() != self._listed[name]["sha256"]:
            raise InputError(f"{name} has other bytes than the manifest says", where=self.url, next="try again")
        return raw

    def recipe(self) -> Recipe:
        """The recipe that the version was built from."""
        with self._lock:
            if self._recipe is None:
                self._recipe = self._read_recipe()
            return self._recipe

    def _read_recipe(self) -> Recipe:
        try:
            return Recipe.model_validate(yaml.safe_load(self.read("provenance/recipe.yaml")))
        except (yaml.YAMLError, pydantic.ValidationError) as error:
            raise InputError("not a recipe that this version of vadose can read", where=self.url) from error

    def granules(self) -> dict[date, str]:
        """Paths of the granules inside the version."""
        found = {parse_name(PurePosixPath(path).name).day: path for path, item in self._listed.items()
                 if item["role"] == "granule"}  # fmt: skip
        return dict(sorted(found.items()))

    def cube(self) -> CubeSeries | None:
        """The cube, where the release has one."""
        return open_cube(self._listed, self.recipe(), self.fetch, self.url)

    def values(self, granule: str, rows: Cells, columns: Cells) -> dict[str, npt.NDArray[Any]]:
        """The fields of some cells, by one request for each chunk that holds any of them."""
        refs = self._references(granule)
        try:
            return {name: self._cells(refs, granule, name, rows, columns) for name in FIELDS}
        except (KeyError, ValueError, TypeError) as error:
            raise InputError(
                f"the references of {granule} cannot be followed: {error}", where=self.url,
                next="copy the release and look at it with vadose verify",
            ) from error  # fmt: skip

    def _references(self, granule: str) -> dict[str, Any]:
        year = parse_name(PurePosixPath(granule).name).when[:4]
        with self._lock:
            if year not in self._years:
                refs = json.loads(self.read(f"{REFS}/{year}.json"))["refs"]
                places = {value[0]: int(key.partition("/")[2].partition(".")[0]) for key, value in refs.items()
                          if key.startswith(f"{FIELDS[0]}/") and isinstance(value, list)}  # fmt: skip
                self._years[year] = {"refs": refs, "places": places}
            return self._years[year]

    def _cells(self, year: dict[str, Any], granule: str, name: str, rows: Cells, columns: Cells) -> npt.NDArray[Any]:
        array = json.loads(year["refs"][f"{name}/.zarray"])
        position = year["places"][f"{ROOT}/{granule}"]
        _, height, width = array["chunks"]
        found = np.empty(rows.size, array["dtype"])
        for corner, inside in by_chunk(rows, columns, (height, width)):
            target, start, size = year["refs"][f"{name}/{position}.{corner[0]}.{corner[1]}"]
            raw = self.fetch(target.removeprefix(f"{ROOT}/"), (start, size))
            block = decoded_chunk(array, raw)[0]
            found[inside] = block[rows[inside] - corner[0] * height, columns[inside] - corner[1] * width]
        return found
