"""Tables of cosmic-ray neutron probes, and what a probe sees."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vadose.common import InputError
from vadose.validation.stations import read_stations
from vadose.validation.stations.neutrons import layer_weights, penetration_depth

EUROPE = (
    "DateTime_utc,NeutronCount_Epithermal_MovAvg24h_corrected,Flag_Extreme_Counts,Flag_Porosity_Excess,Flag_Snow_ERA5,"
    "SoilMoisture_volumetric_MovAvg24h,SoilMoisture_volumetric_MovAvg24h_std,SoilMoisture_volumetric_MovAvg24h_lower,"
    "SoilMoisture_volumetric_MovAvg24h_upper,Footprint_Radius_m,Footprint_Depth_m"
)
LIST = "station_id,station,country,latitude,longitude,elevation_m,porosity\nX01,Field1,Nowhere,51.5,-1.5,200.0,0.5\n"


def europe(folder: Path, rows: list[str], listed: bool = True, header: str = EUROPE) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "Field1-CRNS.csv.gz").write_bytes(gzip.compress("\n".join([header, *rows]).encode()))
    if listed:
        (folder / "stations.csv").write_text(LIST)
    return folder


def hours(day: int, flags: str = "0,0,0", value: float = 0.2, step: float = 0.001, offset: str = "+00:00") -> list[str]:
    return [
        f"2016-05-{day:02d} {hour:02d}:00:00{offset},1500.0,{flags},{value + hour * step:.3f},,-0.010,0.012,130.0,0.20"
        for hour in range(24)
    ]


def test_a_moving_mean_gives_the_last_value_of_the_day_and_its_error(tmp_path: Path, funnel: Any) -> None:
    dataset = read_stations([europe(tmp_path / "c", [*hours(1), *hours(2, value=0.3)])])
    np.testing.assert_allclose(dataset["soil_moisture"].values[0], [0.223, 0.323], atol=1e-6)
    np.testing.assert_allclose(dataset["standard_error"].values[0], 0.011, atol=1e-6)
    np.testing.assert_allclose(dataset["footprint_radius_daily"].values[0], 130.0)
    assert np.isnan(dataset["soil_moisture_solar06"].values).all()
    found = {name: dataset[name].values[0] for name in ("lat", "lon", "depth_to", "saturation", "footprint_radius")}
    assert found == {"lat": 51.5, "lon": -1.5, "depth_to": 0.2, "saturation": 0.5, "footprint_radius": 130.0}
    assert (str(dataset["footprint_kind"].values[0]), str(dataset["depth_class"].values[0])) == ("cosmic-ray",) * 2
    funnel.check(dataset)


@pytest.mark.parametrize("flags", ["1,0,0", "0,1,0", "0,0,1"])
def test_extreme_counts_porosity_and_snow_reject_the_row(tmp_path: Path, funnel: Any, flags: str) -> None:
    dataset = read_stations([europe(tmp_path / "c", [*hours(1)[:20], *hours(1, flags)[20:]])])
    assert funnel.rejected(dataset) == {"provider_flag": 4}
    np.testing.assert_allclose(dataset["soil_moisture"].values[0], 0.219, atol=1e-6)


def test_moisture_above_the_porosity_of_the_list_is_out_of_range(tmp_path: Path, funnel: Any) -> None:
    dataset = read_stations([europe(tmp_path / "c", hours(1, value=0.485))])
    assert funnel.rejected(dataset) == {"own_range": 8, "day_incomplete": 1}


def test_stamps_are_brought_to_utc_by_their_offset(tmp_path: Path) -> None:
    dataset = read_stations([europe(tmp_path / "c", hours(2, offset="+02:00"))])
    assert dataset["observation_count"].values[0].tolist() == [2, 22]


def test_a_table_of_counts_is_refused_by_name(tmp_path: Path) -> None:
    header = "DateTime_utc,NeutronCount_Epithermal_Cum1h,AirPressure"
    with pytest.raises(InputError, match=r"no_moisture_column.*Field1-CRNS\.csv"):
        read_stations([europe(tmp_path / "c", ["2016-05-01 00:00:00+00:00,1500,990"], header=header)])


def test_a_probe_that_no_list_names_has_no_place_and_says_so(tmp_path: Path) -> None:
    dataset = read_stations([europe(tmp_path / "c", hours(1), listed=False)])
    assert str(dataset["status"].values[0]) == "no_coordinates"


def test_cosmos_uk_days_are_percent_with_a_snow_flag(tmp_path: Path, funnel: Any) -> None:
    (tmp_path / "COSMOS-UK_SiteMetadata_2013-2018.csv").write_text(
        "SITE_NAME,SITE_ID,START_DATE,LATITUDE,LONGITUDE,ALTITUDE\nAlice Holt,ALIC1,2015-03-06,51.15,-0.86,80\n"
    )
    rows = ["2016-01-01,ALIC1,35.2,15.0,0,1.2", "2016-01-02,ALIC1,-9999,-9999,0,1", "2016-01-03,ALIC1,40.0,12.0,1,0"]
    (tmp_path / "COSMOS-UK_ALIC1_HydroSoil_Daily_2013-2018.csv").write_text(
        "\n".join(["DATE_TIME,SITE_ID,COSMOS_VWC,D86_75M,SNOW,PE", *rows])
    )
    dataset = read_stations([tmp_path])
    np.testing.assert_allclose(dataset["soil_moisture"].values[0], [0.352], atol=1e-6)
    assert funnel.rejected(dataset) == {"missing": 1, "provider_flag": 1}
    assert (str(dataset["station_name"].values[0]), float(dataset["lat"].values[0])) == ("Alice Holt", 51.15)
    assert float(dataset["depth_to"].values[0]) == 0.135
    assert not bool(dataset["redistributable"].values[0])


def test_cosmos_uk_tables_of_the_portal_explain_their_columns_first(tmp_path: Path, funnel: Any) -> None:
    lines = [
        "timestamp,2026-01-01T00:00:00", "site-id,MOORH", "site-name,Moor House", "latitude,54.66", "longitude,-2.47",
        "parameter-id,cosmos_vwc,cosmos_vwc_flag,snow", "parameter-name,VWC,VWC Flag,Snow", "parameter-units,%,,mm",
        "2021-01-01,65.0,,0.0", "2021-01-02,66.0,E,0.0", "2021-01-03,67.0,,0",
    ]  # fmt: skip
    (tmp_path / "MOORH.csv").write_text("\n".join(lines))
    dataset = read_stations([tmp_path])
    # A site mean above 0.6, as in peat, is not to be taken as truth.
    assert funnel.rejected(dataset) == {"own_range": 2, "provider_flag": 1}
    assert (str(dataset["station_name"].values[0]), float(dataset["lon"].values[0])) == ("Moor House", -2.47)


def test_cosmoz_hours_are_percent_and_flagged_rows_are_left_out(tmp_path: Path, funnel: Any) -> None:
    (tmp_path / "stations.tsv").write_text(
        'altitude\tlatitude\tlongitude\tsite_description\tsite_name\tsite_no\tn0_cal\n438.0\t-32.87\t148.54\t"one\ntwo"\t'
        "Baldry\t1\t1818\n"
    )
    rows = [
        f"2016-01-{day:02d}T{hour:02d}:00:00Z,1,{20 + hour / 10},18.0,{rain},{int(hour == 5)}"
        for day, rain in ((1, 0.2), (2, 0.0)) for hour in range(24)
    ]  # fmt: skip
    (tmp_path / "baldry_level3.csv").write_text(
        "\n".join(["time,site_no,soil_moist,effective_depth,rainfall,flag", *rows])
    )
    dataset = read_stations([tmp_path])
    expected = np.mean([0.20 + hour / 1000 for hour in range(24) if hour != 5])
    np.testing.assert_allclose(dataset["soil_moisture"].values[0], [expected] * 2, atol=1e-6)
    np.testing.assert_allclose(dataset["precipitation"].values[0], [4.8, 0.0], atol=1e-5)
    assert str(dataset["station_id"].values[0]).startswith("CosmOz/Baldry/0.0000-0.1800/")
    assert funnel.rejected(dataset) == {"provider_flag": 2}


def test_sheepdrove_has_its_published_counts(vadose_data: Path, funnel: Any) -> None:
    dataset = read_stations([vadose_data / "cosmos"])
    counts = funnel.stages(dataset)
    assert (counts["rows_read"], counts["not_missing"], counts["days"]) == (13207, 10882, 461)
    assert funnel.rejected(dataset)["provider_flag"] == 18
    radius = dataset["footprint_radius_daily"].values
    assert 107 <= np.nanmin(radius) <= np.nanmax(radius) <= 139
    assert float(dataset["saturation"].values[0]) == 0.566
    assert (float(dataset["lat"].values[0]), float(dataset["lon"].values[0])) == (51.528, -1.468)
    funnel.check(dataset)


@pytest.mark.parametrize(("moisture", "low", "high"), [(0.2, 0.22, 0.24), (0.3, 0.12, 0.18), (0.4, 0.12, 0.18)])
def test_penetration_depths_are_those_of_the_literature(moisture: float, low: float, high: float) -> None:
    # Schroen et al. (2017): 23 cm at 0.2 and 12 to 18 cm at 0.3 to 0.4, for a bulk density of 1.4 g cm-3.
    assert low < float(penetration_depth(moisture, 1.0)) < high
    assert float(penetration_depth(moisture, 200.0)) < float(penetration_depth(moisture, 1.0))


def test_penetration_depth_is_the_formula_worked_by_hand() -> None:
    # exp(-0.5) = 0.60653; (0.96655 + 0.60653) * 20.25 / 0.2929 = 108.7572;
    # times 0.14249 plus 8.321 = 23.8178; over 1.2 = 19.848 cm.
    assert float(penetration_depth(0.25, 50.0, 1.2)) == pytest.approx(0.19848, abs=2e-5)


def test_layer_weights_fall_with_depth_and_sum_to_one() -> None:
    weights = layer_weights([0.025, 0.1, 0.3], 0.25)
    assert weights.sum() == pytest.approx(1.0)
    ratio = np.exp(-2 * 0.075 / float(penetration_depth(0.25)))
    assert weights[1] / weights[0] == pytest.approx(ratio)
