"""A recipe: everything that decides a product, as frozen, validated values.

A recipe is a YAML file. Unknown keys are errors that name the nearest known key.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from datetime import date
from typing import Annotated, Any, Literal, get_args

import pydantic

from vadose.common import UsageError
from vadose.producer.grids import Grid, global_shape
from vadose.producer.vocabulary import VOCABULARY

DOI = r"^10\.\d{4,9}/\S+$"
# The name of a cube or a station dataset of the workspace: it must not lead out of its folder.
FileName = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class GridSection(_Strict):
    """A window of a global grid, half-open, in global row and column numbers."""

    token: str
    rows: tuple[int, int] | None = None
    columns: tuple[int, int] | None = None

    def grid(self) -> Grid:
        """The grid itself; without rows and columns the whole globe."""
        rows, columns = global_shape(self.token)
        return Grid(self.token, *(self.rows or (0, rows)), *(self.columns or (0, columns)))

    @pydantic.model_validator(mode="after")
    def _inside(self) -> GridSection:
        try:
            self.grid()
        except UsageError as error:
            raise ValueError(str(error)) from error
        return self


class Agent(_Strict):
    """Who made or publishes the product."""

    name: str
    type: Literal["person", "group", "institution", "position"] = "group"
    institution: str
    email: str
    url: str


class Product(_Strict):
    """The product as a user sees it.

    `stream` is what a build of this recipe writes. `icdr_from` is set where the record begins with the granules of an
    earlier CDR, which are linked, and goes on as ICDR from that day. `doi` is that of the version, `concept_doi` that
    of all versions together; without a reserved one they are left out.
    """

    token: str = pydantic.Field(pattern=r"^[A-Z][A-Z0-9]{1,15}$")
    grid: GridSection
    step: Literal["daily", "monthly"] = "daily"
    day: Literal["solar06", "daily_mean"]
    depth_m: tuple[float, float]
    days: tuple[date, date]
    version: str = pydantic.Field(pattern=r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$")
    issued: str = pydantic.Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
    stream: Literal["CDR", "ICDR", "NRT"]
    icdr_from: date | None = None
    publish: bool = True
    target: str
    title: str
    summary: str
    source: str
    licence: str
    institution: str
    naming_authority: str
    landing_url: str
    concept_doi: str | None = pydantic.Field(default=None, pattern=DOI)
    doi: str | None = pydantic.Field(default=None, pattern=DOI)
    references: str
    acknowledgement: str
    creator: Agent
    publisher: Agent
    project: str
    program: str
    platform: str
    instrument: str

    @property
    def id(self) -> str:
        """Product id, folder and URL: `avhrr-0p05deg`."""
        return f"{self.token}-{self.grid.token}".lower()

    @property
    def folder(self) -> str:
        """Name of the folder that a build writes into: that of the version, or the rolling `nrt`."""
        return "nrt" if self.stream == "NRT" else f"v{self.version}"

    def stream_of(self, first: date) -> str:
        """Stream of the day or month that begins on `first`."""
        return "CDR" if self.icdr_from is not None and first < self.icdr_from else self.stream

    @pydantic.model_validator(mode="after")
    def _streams_meet(self) -> Product:
        begin = self.icdr_from
        if begin is None:
            return self
        if self.stream != "ICDR":
            raise ValueError(f"icdr_from belongs to stream ICDR, this is {self.stream}")
        if not self.days[0] < begin <= self.days[1]:
            raise ValueError(f"icdr_from {begin} is not inside days {self.days[0]}..{self.days[1]}")
        if self.step == "monthly" and begin.day != 1:
            raise ValueError(f"icdr_from {begin} cuts a month")
        return self


class InputSource(_Strict):
    """One input data set, and what its licence allows for derived data."""

    name: str
    reader: str
    producer: str
    version: str
    licence: str
    passing_on: bool | None = None
    commercial_use: bool | None = None
    preliminary: bool = False
    card: str | None = None
    options: dict[str, Any] = {}


class Predictors(_Strict):
    """Predictor variables in the order in which the model sees them."""

    daily: tuple[str, ...]
    static: tuple[str, ...] = ()

    @pydantic.field_validator("daily", "static")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in VOCABULARY:
                raise ValueError(unknown_word(name, VOCABULARY, "variable"))
        return names


class Variant(_Strict):
    """Another method, or the same one with other settings, that a comparison runs beside the recipe's own."""

    method: str
    settings: dict[str, Any] = {}


class MethodSection(_Strict):
    """Method and its settings; the settings are checked by the method's own model.

    `variants` are what `vadose compare` also runs, under names of their own.
    """

    name: str
    settings: dict[str, Any] = {}
    variants: dict[str, Variant] = {}
    ensemble: int = pydantic.Field(default=1, ge=1, le=20)
    seed: int = 0
    split: str = "P1"


class FlagRule(_Strict):
    """Set a flag bit where a cube variable exceeds a limit."""

    flag: Literal[
        "permanent_ice",
        "dense_vegetation",
        "complex_topography",
        "wetland_or_open_water",
        "radio_frequency_interference",
        "urban_area",
        "snow_cover",
        "frozen_soil",
    ]
    variable: str
    above: float | None = None
    below: float | None = None


class BuildSection(_Strict):
    """How predictions become granules; with `cube` a release also holds them as a rechunked cube."""

    writer: Literal["zlib-ng", "netcdf4"] = "zlib-ng"
    cube: bool = False
    slab_days: int = pydantic.Field(default=1830, ge=1)
    minimum: float = 0.02
    maximum: float = 0.6
    porosity_variable: str | None = None
    flags: tuple[FlagRule, ...] = ()
    covers_frozen: bool = False
    observing_input: str | None = None
    observing_input_text: str | None = None
    maximum_granule_mb: float = 17.0


class Gate(_Strict):
    """One release gate with its limits; `vadose validate` evaluates it."""

    name: Literal[
        "core_sites",
        "no_regression",
        "beats_baselines",
        "gap_days",
        "calibration",
        "stability",
        "independence",
        "coverage",
        "complete",
    ]
    level: Literal["required", "advisory"]
    limits: dict[str, float] = {}


class Waiver(_Strict):
    """A published exception from one check, with its reason; it holds for versions before `expires`."""

    check: str = pydantic.Field(min_length=1)
    reason: str = pydantic.Field(pattern=r"\S")
    expires: str = pydantic.Field(pattern=r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$")


class Repair(_Strict):
    """Days, first and last, whose published granules are defective, with the defect; a PATCH writes them again."""

    days: tuple[date, date]
    reason: str = pydantic.Field(pattern=r"\S")

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> Repair:
        if self.days[1] < self.days[0]:
            raise ValueError(f"{self.days[0]}..{self.days[1]} ends before it begins")
        return self

    def holds(self, first: date) -> bool:
        """Whether it names the day, or the month that begins on it."""
        return self.days[0] <= first <= self.days[1]


class Recipe(_Strict):
    """A whole recipe.

    `other_cubes` and `stations` name, by the part they play, further cubes and station datasets of the workspace that
    the method reads.
    """

    recipe: str = pydantic.Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    format: Literal[1] = 1
    product: Product
    inputs: tuple[InputSource, ...]
    cube: FileName
    other_cubes: dict[str, FileName] = {}
    stations: dict[str, FileName] = {}
    target: str
    predictors: Predictors
    method: MethodSection
    build: BuildSection = BuildSection()
    gates: tuple[Gate, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    repairs: tuple[Repair, ...] = ()

    @pydantic.model_validator(mode="after")
    def _target_known(self) -> Recipe:
        if self.target not in VOCABULARY:
            raise ValueError(unknown_word(self.target, VOCABULARY, "variable"))
        return self

    @pydantic.model_validator(mode="after")
    def _preliminary_is_nrt(self) -> Recipe:
        early = [source.name for source in self.inputs if source.preliminary]
        if self.product.stream == "NRT" and not early:
            raise ValueError("stream NRT is made from preliminary inputs: say preliminary: true of each one that is")
        if self.product.stream != "NRT" and early:
            raise ValueError(f"{', '.join(early)}: preliminary inputs belong to stream NRT, not {self.product.stream}")
        return self

    @property
    def sha256(self) -> str:
        """Hash of the recipe's values; comments and layout of the YAML do not count."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def unknown_word(word: str, known: Any, noun: str) -> str:
    """A message that names the unknown word and the nearest known one."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"
    return f"unknown {noun} {word!r}{hint}"


def describe(error: pydantic.ValidationError, model: type[pydantic.BaseModel]) -> str:
    """All faults of a configuration: dotted path, what is wrong, and for unknown keys the nearest known one."""
    faults = []
    for fault in error.errors():
        path = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            known = _fields_at(model, fault["loc"][:-1])
            faults.append(f"{path}: {unknown_word(str(fault['loc'][-1]), known, 'key')}")
        else:
            message = re.sub(r"^Value error, ", "", fault["msg"])
            got = "" if fault["type"] == "missing" else f", got {fault['input']!r}"
            faults.append(f"{path}: {message}{got if len(got) < 120 else ''}")
    return "; ".join(faults)


def _fields_at(model: type[pydantic.BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        candidates = [annotation, *get_args(annotation)]
        nested = [kind for kind in candidates if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)]
        if not nested:
            return []
        model = nested[0]
    return list(model.model_fields)
