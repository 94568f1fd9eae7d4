"""`vadose validate`: score a product against stations, references and rivals, and ask the gates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vadose.cli.options import Common, common_options
from vadose.common import UsageError, read_json

if TYPE_CHECKING:
    import pandas as pd

SHOWN = (
    ("bias", "raw"),
    ("rmse", "raw"),
    ("ubrmsd", "raw"),
    ("r", "raw"),
    ("r", "anomaly_35d"),
    ("r2_explained", "raw"),
)
NOTHING = "–"
GATE_FAILED = 4
PARTIAL = 5


@click.command("validate")
@click.argument("settings", required=False, type=click.Path(path_type=Path))
@click.option("--product", metavar="NAME=PATH", help="Our product: a release, a folder of CF files, a file or a cube.")
@click.option("--stations", multiple=True, metavar="FILE", help="A station dataset, by name or as a file. Repeatable.")
@click.option("--recipe", help="Its gates are asked; its target says which variable of a cube is meant.")
@click.option("--previous", metavar="NAME=PATH", help="The version before.")
@click.option("--rival", "rivals", multiple=True, metavar="NAME=PATH", help="Another product. Repeatable.")
@click.option("--reference", "references", multiple=True, metavar="NAME=PATH", help="A gridded reference. Repeatable.")
@click.option("--card", "cards", multiple=True, metavar="[NAME=]FILE", help="Product card. Repeatable.")
@click.option(
    "--model", type=click.Path(path_type=Path), help="Model directory with the ledger, if the product has none."
)
@click.option("--hidden", type=click.Path(path_type=Path), help="File of filled and hidden values, for gap_days.")
@click.option("--sensors", help="primary: one sensor per station and depth (default); separate: all.")
@click.option("--interval", help="Dependence between days: tail_model (default), lag1, ar2, hac, iid, bootstrap.")
@click.option("--scaling", "scalings", multiple=True, help="Further scores of the scaled product. Repeatable.")
@click.option("--cross-fit", is_flag=True, help="Fit a scaling on other years than it is applied to.")
@click.option(
    "--anomaly-before-matching", is_flag=True, help="Take anomalies from all days of a series, as other tools do."
)
@click.option("--margin", "margins", multiple=True, metavar="METRIC=WIDTH", help="Equal inside it. Repeatable.")
@click.option("--adjust", help="p-values of many tests: bh (default), or by, for any dependence between them.")
@click.option("--no-maps", is_flag=True, help="Do not compare maps with each other.")
@click.option("--strict", is_flag=True, help="Stop where a station fails unexpectedly.")
@click.option("--allow-day-mismatch", is_flag=True, help="Score across day conventions; every row says so.")
@click.option("--seed", type=int, help="Seed of the bootstrap; default 0.")
@click.option("--out", type=click.Path(path_type=Path), help="Run directory; default: runs/<id> of the workspace.")
@common_options
def command(common: Common, settings: Path | None, **typed: Any) -> int:
    """Score a product against stations, references and rivals.

    A path may end in ::variable where a file holds several. Without --out the run goes to runs/<product>-<id>. A
    finished run is read, not done again. Exit code 4 if a required gate of the recipe failed.

    Example: vadose validate --product ours=demoatlstm-0p25deg/v1.0.0 --stations simulated --recipe simulated-atlstm
    """
    from vadose.validation.opening import open_all
    from vadose.validation.run import finished, run_validation
    from vadose.validation.settings import named_numbers, read_settings

    values = read_settings(settings) if settings else {}
    values |= {key: value for key, value in typed.items() if value not in (None, (), False) and key != "no_maps"}
    if typed["margins"]:
        values["margins"] = named_numbers(typed["margins"], "--margin")
    if typed["no_maps"]:
        values["maps"] = False
    asked = _settings(common, values)
    opened = open_all(asked)
    out = (
        Path(values["out"])
        if values.get("out")
        else common.workspace / "runs" / _run_id(asked.product[0], opened.fingerprint)
    )
    if common.dry_run:
        there = finished(out, opened) is not None
        return common.emit("validate", {"would_write": str(out), "finished": there}, f"would write {out}")
    judged = run_validation(asked, out, common.progress, opened)
    table = _rows(out, asked.product[0])
    failed = [one for notes in read_json(out / "run.json")["references"].values() for one in notes.get("failed", {})]
    code = (PARTIAL if failed else 0) if judged["passed"] else GATE_FAILED
    result = {"run": str(out), "scores": table.to_dict("records"), "verdict": judged}
    return common.emit("validate", _plain(result), _printed(out, table, judged), code)


def _run_id(name: str, fingerprint: str) -> str:
    return f"{name}-{fingerprint[:12]}"


_SCORING = (
    "allow_day_mismatch", "seed", "interval", "cross_fit", "anomaly_before_matching", "margins", "adjust", "sensors",
    "strict",
)  # fmt: skip


def _settings(common: Common, values: dict[str, Any]) -> Any:
    from vadose.validation.options import Options
    from vadose.validation.settings import Settings

    if not values.get("product"):
        raise UsageError("no product", next="add --product NAME=PATH")
    recipe = values.get("recipe")
    models = [Path(values["model"]) / "model.json"] if values.get("model") else []
    if recipe:
        models.append(common.workspace / "models" / Path(recipe).stem / "model.json")
    previous = values.get("previous")
    return Settings(
        product=_named(common, values["product"]),
        stations=tuple(_station_file(common, text) for text in values.get("stations", ())),
        recipe=recipe,
        previous=_named(common, previous) if previous else None,
        rivals=tuple(_named(common, text) for text in values.get("rivals", ())),
        references=tuple(_named(common, text) for text in values.get("references", ())),
        cards=tuple(values.get("cards", ())),
        models=tuple(models),
        hidden=Path(values["hidden"]) if values.get("hidden") else None,
        options=Options(
            **{key: values[key] for key in _SCORING if key in values}, scalings=tuple(values.get("scalings", ()))
        ),
        maps=bool(values.get("maps", True)),
        memory_bytes=common.memory_bytes,
    )


def _named(common: Common, text: str) -> tuple[str, str]:
    """Name and path of `NAME=PATH`; a path that is not there is looked up in the workspace."""
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise UsageError(f"{text!r} is not NAME=PATH", next="write it like ours=releases/demoatlstm-0p25deg/v1.0.0")
    file, colons, variable = path.partition("::")
    places = [Path(file), *(common.workspace / folder / file for folder in ("releases", "cubes", "native"))]
    places.append(common.workspace / "cubes" / f"{file}.zarr")
    found = next((place for place in places if place.exists()), Path(file))
    return name, f"{found}{colons}{variable}"


def _station_file(common: Common, text: str) -> Path:
    places = [Path(text), common.workspace / "stations" / text, common.workspace / "stations" / f"{text}.nc"]
    return next((place for place in places if place.is_file()), Path(text))


def _rows(out: Path, ours: str) -> pd.DataFrame:
    """Medians on the common sample at every reference, ours first."""
    import pandas as pd

    scores = pd.read_parquet(out / "scores.parquet")
    chosen = scores[scores["aggregate"].eq("median") & scores["stratum_kind"].eq("all")]
    chosen = chosen[chosen["subset"].str.startswith("common") & chosen["split"].ne("period_seen")]
    order = chosen["product"].ne(ours)
    return (
        chosen.assign(order=order).sort_values(["reference", "order", "product"], kind="stable").drop(columns="order")
    )


def _printed(out: Path, rows: pd.DataFrame, judged: dict[str, Any]) -> str:
    run = read_json(out / "run.json")
    lines = [f"{out}", ""]
    for reference, at in rows.groupby("reference", sort=False):
        split = ", ".join(sorted(set(at["split"])))
        lines.append(f"{reference}: medians over stations or cells, common sample, split {split} (95 % interval)")
        head = [name if signal == "raw" else f"{name} anomaly" for name, signal in SHOWN]
        lines.append(
            "  ".join(["product".ljust(16), *(text.rjust(26) for text in head), "n".rjust(6), "cover".rjust(6)])
        )
        for product, mine in at.groupby("product", sort=False):
            lines.append(_line(str(product), mine))
        absent = run["references"][reference].get("products_without_common_days", [])
        lines += [*(f"{name}: no day in common" for name in absent), ""]
    lines += [f"headline reference: {run['headline']}", "gates"]
    for gate in judged["gates"]:
        if gate["level"] == "not_listed":
            continue
        word = "not applicable" if not gate["applicable"] else "passed" if gate["passed"] else "FAILED"
        lines.append(f"  {gate['name']:<16} {gate['level']:<9} {word:<15} {gate['reason']}")
    lines.append("passed" if judged["passed"] else "a required gate failed")
    return "\n".join(lines)


def _line(product: str, rows: pd.DataFrame) -> str:
    cells = []
    for name, signal in SHOWN:
        one = rows[rows["metric"].eq(name) & rows["signal"].eq(signal)]
        cells.append(_cell(one.iloc[0]) if len(one) else NOTHING)
    first = rows[rows["metric"].eq("bias")].iloc[0]
    tail = [f"{int(first['n']):>6}", f"{first['coverage']:>6.2f}"]
    return "  ".join([product.ljust(16), *(text.rjust(26) for text in cells), *tail])


def _cell(row: pd.Series[Any]) -> str:
    value, low, high = (float(row[name]) for name in ("value", "ci_low", "ci_high"))
    if value != value:
        return str(row["status"])
    return f"{value:.4f} ({row['status']})" if low != low else f"{value:.4f} ({low:.4f}, {high:.4f})"


def _plain(value: Any) -> Any:
    """The same without NaN, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and value != value else value
