"""Specs: the library, inheritance and shocks, studies, the resolved view, the schema for editors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

import scenarios
from scenarios.errors import InputError
from scenarios.library import (
    find_scenario,
    find_study,
    init_files,
    library_names,
    study_path,
    study_scenarios,
)
from scenarios.load import json_schema, load_any, read_spec, spec_from_text
from scenarios.schema import (
    KINDS,
    SCENARIOS,
    FilePortfolio,
    MacroScenario,
    Satellite,
    Study,
    SyntheticPortfolio,
    UsedCarSegment,
)
from scenarios.show import INTERPOLATION, resolved
from scenarios.vocabulary import SEGMENTS
from yaml_samples import SCENARIO, heir

BASE = SCENARIO.replace("name: own\n", "name: base\ntitle: The base\n").replace("beyond:", "weight: 0.5\nbeyond:")
CHILD = f"""\
{heir("child", "base.yaml")}macro:
  unemployment_percent: {{shock: [0, 1, 2, 0.5]}}
  prime_rate_percent: [1, 1, 1, 1]
used_car_index:
  all: {{shock_percent: [0, -10, 0, 10]}}
  ev: {{shock_percent: [-50, -50, -50, -50]}}
"""

STUDY = """\
kind: study
name: tiny
portfolio: {file: loans.csv}
parameters: [us_prime, own.yaml]
scenarios: [baseline, child.yaml]
paths: 100
months: 12
seed: 18446744073709551615
limits: [{measure: value_at_risk, level: 0.95, scenario: child, at_most_percent: 3.5}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("base.yaml", BASE), ("child.yaml", CHILD), ("study.yaml", STUDY)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


# --- the library -------------------------------------------------------------------------------------


def test_the_library_holds_what_is_promised() -> None:
    own = {"baseline", "adverse", "severely_adverse", "stagflation", "used_car_crash"}
    feds = {f"fed_{year}_{kind}" for year in (2024, 2025) for kind in ("baseline", "severely_adverse")}
    assert set(library_names("macro")) == own | feds
    assert set(library_names("studies")) >= {"default", "call_centre", "uncertain"}


@pytest.mark.parametrize("name", library_names("macro"))
def test_library_scenarios_are_named_as_their_files_and_say_their_source(name: str) -> None:
    scenario = find_scenario(name)
    assert scenario.name == name
    assert scenario.title
    assert "Federal Reserve" in scenario.source or "Assumption" in scenario.source
    assert scenario.months >= 39
    assert (scenario.beyond is None) == name.startswith("fed_")  # the Board says nothing of what follows


@pytest.mark.parametrize("name", library_names("studies"))
def test_library_studies_read_and_their_scenarios_exist(name: str) -> None:
    study = find_study(name)
    assert study.name == name
    assert study_scenarios(study)


def test_the_default_study_is_the_promised_one() -> None:
    study = find_study("default")
    assert isinstance(study.portfolio, SyntheticPortfolio)
    drawn = study.portfolio.synthetic
    assert (drawn.parameters, drawn.loans, str(drawn.as_of)) == ("us_near_prime", 10_000, "2024-12-31")
    assert (study.scenarios, study.paths, study.months) == (("baseline", "severely_adverse"), 5000, 36)


def test_the_example_that_init_writes_is_commented_and_sound(tmp_path: Path) -> None:
    files = init_files()
    assert set(files) == {"study.yaml", "my_recession.yaml"}
    for name, text in files.items():
        written(tmp_path, name, text)
        assert sum("#" in line for line in text.splitlines()) >= 8
    study = read_spec(tmp_path / "study.yaml", Study)
    baseline, recession = study_scenarios(study)
    assert baseline.name == "baseline"
    assert recession.macro.unemployment_percent[5] == 7.3  # 4.3 of the baseline and a shock of 3
    assert recession.used_car_index["truck"] != recession.used_car_index["all"]


# --- extends -------------------------------------------------------------------------------------------


def test_maps_are_merged_lists_replaced_and_shocks_act_on_the_base(folder: Path) -> None:
    child = read_spec(folder / "child.yaml", MacroScenario)
    assert child.macro.unemployment_percent == (4, 6, 8, 6.5)
    assert child.macro.prime_rate_percent == (1, 1, 1, 1)
    assert child.macro.disposable_income_growth_percent == (2, 2, 2, 2)
    assert child.used_car_index["all"] == (100, 81, 80, 88)
    assert child.used_car_index["ev"] == (50, 45, 40, 40)  # half of the base's `all`
    assert (child.start, child.beyond) == ("2025Q1", "hold")


def test_what_a_file_says_of_itself_is_not_inherited(folder: Path) -> None:
    child = read_spec(folder / "child.yaml", MacroScenario)
    assert (child.name, child.title, child.weight, child.extends) == ("child", "", None, None)


def test_shocks_add_up_along_a_chain(folder: Path) -> None:
    text = (
        "kind: macro_scenario\nname: third\nsource: Assumption.\nextends: child.yaml\n"
        "macro: {unemployment_percent: {shock: [1, 1, 1, 1]}}\nused_car_index: {all: {shock_percent: [-50, 0, 0, 0]}}\n"
    )
    third = read_spec(written(folder, "third.yaml", text), MacroScenario)
    assert third.macro.unemployment_percent == (5, 7, 9, 7.5)
    assert third.used_car_index["all"] == (50, 81, 80, 88)
    assert third.used_car_index["ev"] == (50, 45, 40, 40)


def test_shocks_on_a_satellite_compound_unless_it_is_written_anew(folder: Path) -> None:
    head = "kind: macro_scenario\nsource: Assumption.\n"
    gap = BASE.replace("all: [100, 90, 80, 80]", "all: {satellite: unemployment_gap, peak_to_trough_percent: -30}")
    written(folder, "gap.yaml", gap.replace("name: base", "name: gap"))
    first = f"{head}name: first\nextends: gap.yaml\nused_car_index: {{all: {{shock_percent: [-50, 0, 0, 0]}}}}\n"
    written(folder, "first.yaml", first)
    second = f"{head}name: second\nextends: first.yaml\nused_car_index: {{all: {{shock_percent: [-50, 10, 0, 0]}}}}\n"
    found = read_spec(written(folder, "second.yaml", second), MacroScenario).used_car_index["all"]
    assert isinstance(found, Satellite)
    assert (found.peak_to_trough_percent, found.shock_percent) == (-30, (-75, 10, 0, 0))
    anew = second.replace("{shock_percent", "{satellite: flat, shock_percent")
    found = read_spec(written(folder, "anew.yaml", anew), MacroScenario).used_car_index["all"]
    assert isinstance(found, Satellite)
    assert (found.satellite, found.shock_percent) == ("flat", (-50, 10, 0, 0))


def test_a_satellite_needs_a_recession_to_follow() -> None:
    """Else a rise by 0.2 points would be blown up to the whole stated fall."""
    calm = BASE.replace("[4, 5, 6, 6]", "[4, 4.2, 4.1, 4]").replace(
        "[100, 90, 80, 80]", "{satellite: unemployment_gap}"
    )
    with pytest.raises(
        InputError, match=r"base\.yaml:14:20: unemployment rises by 0\.2 points only.*`satellite: flat`"
    ):
        spec_from_text(calm, "base.yaml", MacroScenario)


def test_a_shock_of_another_length_on_a_shocked_satellite_is_told(folder: Path) -> None:
    shocked = "{satellite: unemployment_gap, shock_percent: [1, 1, 1, 1]}"
    written(folder, "base.yaml", BASE.replace("[100, 90, 80, 80]", shocked))
    with pytest.raises(InputError, match=r"used_car_index\.all\.shock_percent has 3 values; expected 4"):
        read_spec(written(folder, "short.yaml", CHILD.replace("[0, -10, 0, 10]", "[0, -10, 0]")), MacroScenario)


def test_a_fault_in_the_base_is_told_where_it_stands(folder: Path) -> None:
    written(folder, "base.yaml", BASE.replace("[4, 5, 6, 6]", "[4, 5, 66, 6]"))
    with pytest.raises(InputError) as caught:
        read_spec(folder / "child.yaml", MacroScenario)
    assert str(caught.value).startswith(f"{folder / 'base.yaml'}:10:32: macro.unemployment_percent[2] = 66;")


def test_circles_are_found(folder: Path) -> None:
    written(folder, "base.yaml", BASE.replace("name: base", "name: base\nextends: child.yaml"))
    for name in ("base.yaml", "child.yaml"):
        with pytest.raises(InputError, match=r":\d+:10: `extends` goes in a circle: .* -> .* -> "):
            read_spec(folder / name, MacroScenario)
    with pytest.raises(InputError, match="circle"):
        read_spec(written(folder, "self.yaml", CHILD.replace("base.yaml", "self.yaml")), MacroScenario)


def test_a_base_of_another_kind_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"study\.yaml is of kind study; expected a file of kind macro_scenario"):
        read_spec(written(folder, "odd.yaml", CHILD.replace("base.yaml", "study.yaml")), MacroScenario)


# --- the resolved view -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", library_names("macro"))
def test_the_resolved_text_reads_back_as_the_same_scenario(name: str) -> None:
    scenario = find_scenario(name)
    again = spec_from_text(resolved(scenario), "again.yaml", MacroScenario)
    assert again.model_dump() == scenario.model_dump()


def test_the_resolved_text_names_origins_and_interpolation(folder: Path) -> None:
    child, base = folder / "child.yaml", folder / "base.yaml"
    lines = resolved(read_spec(child, MacroScenario)).splitlines()
    shocked = f"  unemployment_percent: [4.0, 6.0, 8.0, 6.5]  # {child}:6, shock on {base}:10"
    assert shocked in lines
    assert f"  disposable_income_growth_percent: [2.0, 2.0, 2.0, 2.0]  # {base}:11" in lines
    assert f"  ev: [50.0, 45.0, 40.0, 40.0]  # {child}:10, shock on {base}:14" in lines
    assert all(any(name in line and rule in line for line in lines) for name, rule in INTERPOLATION.items())


def test_offsets_are_inherited_one_by_one_and_shown_with_their_origins(folder: Path) -> None:
    base, child = folder / "base.yaml", folder / "child.yaml"
    written(folder, "base.yaml", BASE + "sector_offsets: {unemployment_percent: {mining: 2, retail: 1}}\n")
    written(folder, "child.yaml", CHILD + "sector_offsets:\n  unemployment_percent:\n    mining: 3\n")
    found = read_spec(child, MacroScenario)
    assert found.sector_offsets == {"unemployment_percent": {"mining": 3.0, "retail": 1.0}}
    lines = resolved(found).splitlines()
    assert f"    mining: 3.0  # {child}:13" in lines
    assert f"    retail: 1.0  # {base}:17" in lines
    assert spec_from_text(resolved(found), "again.yaml", MacroScenario).model_dump() == found.model_dump()


def test_an_offset_of_an_unknown_variable_is_told(folder: Path) -> None:
    odd = BASE + "sector_offsets: {fuel_price_index: {mining: 2}}\n"
    with pytest.raises(
        InputError, match=r"unknown key sector_offsets.fuel_price_index; expected one of unemployment_pe"
    ):
        spec_from_text(odd, "base.yaml", MacroScenario)


def test_text_that_could_be_misread_is_quoted(folder: Path) -> None:
    odd = BASE.replace("title: The base", 'title: "true"').replace(
        "source: Assumption, for a test.", "source: '# no: 1'"
    )
    scenario = spec_from_text(odd, "odd.yaml", MacroScenario)
    again = spec_from_text(resolved(scenario), "again.yaml", MacroScenario)
    assert (again.title, again.source) == ("true", "# no: 1")


# --- studies ----------------------------------------------------------------------------------------------


def test_a_study_reads_and_finds_its_scenarios_beside_it(folder: Path) -> None:
    study = read_spec(folder / "study.yaml", Study)
    assert isinstance(study.portfolio, FilePortfolio)
    assert study.portfolio.format == "canonical"
    assert study.parameter_sets == ("us_prime", "own.yaml")
    assert study.seed == 2**64 - 1
    assert study_path(study, study.portfolio.file) == folder / "loans.csv"
    assert [scenario.name for scenario in study_scenarios(study)] == ["baseline", "child"]


def test_a_study_with_one_parameter_set_has_a_list_of_one() -> None:
    assert find_study("default").parameter_sets == ("us_near_prime",)


def test_all_faults_of_a_studys_scenarios_come_at_once(folder: Path) -> None:
    text = STUDY.replace("[baseline, child.yaml]", "[baselin, gone.yaml]")
    with pytest.raises(InputError) as caught:
        study_scenarios(read_spec(written(folder, "study.yaml", text), Study))
    first, second = (str(fault) for fault in caught.value.faults)
    assert first.startswith(f"{folder / 'study.yaml'}:5:13: unknown scenario `baselin`")
    assert "Did you mean `baseline`?" in first
    assert second.startswith(f"{folder / 'study.yaml'}:5:22: the file {folder / 'gone.yaml'} does not exist")


def test_a_limit_on_a_scenario_that_is_not_there_is_told(folder: Path) -> None:
    text = STUDY.replace("scenario: child", "scenario: chil")
    with pytest.raises(
        InputError, match=r":9:58: scenario = chil; expected one of baseline, child. Did you mean `child`"
    ):
        study_scenarios(read_spec(written(folder, "study.yaml", text), Study))


def test_two_scenarios_of_one_name_are_refused(folder: Path) -> None:
    written(folder, "child.yaml", CHILD.replace("name: child", "name: baseline"))
    with pytest.raises(InputError, match="two scenarios named baseline"):
        study_scenarios(read_spec(folder / "study.yaml", Study))


# --- reading in general --------------------------------------------------------------------------------------


def test_load_any_reads_each_kind(folder: Path) -> None:
    assert isinstance(load_any(folder / "child.yaml", KINDS), MacroScenario)
    assert isinstance(load_any(folder / "study.yaml", KINDS), Study)


def test_find_takes_names_and_paths(folder: Path) -> None:
    assert find_scenario(folder / "child.yaml").name == find_scenario("child.yaml", folder).name == "child"
    assert find_study(str(folder / "study.yaml")).name == "tiny"
    with pytest.raises(InputError, match=r"scenario: the file baseline does not exist"):
        find_scenario(Path("baseline"))


def test_a_spec_made_in_python_is_checked_as_well() -> None:
    data = find_scenario("baseline").model_dump()
    assert MacroScenario(**data).where("start") == "baseline: start"
    data["macro"]["unemployment_percent"] = data["macro"]["unemployment_percent"][:-1]
    with pytest.raises(ValidationError, match="has 19 values; expected 20"):
        MacroScenario(**data)
    with pytest.raises(ValidationError, match="frozen"):
        find_scenario("baseline").name = "other"  # type: ignore[misc]  # the point of the test


def test_segments_are_the_vocabularys() -> None:
    assert get_args(UsedCarSegment) == ("all", *SEGMENTS)


# --- the schema for editors ------------------------------------------------------------------------------------


def test_the_schema_documents_every_field() -> None:
    schema = json_schema(KINDS)
    assert schema["properties"]["kind"]["enum"] == ["macro_scenario", "study"]
    for name, definition in schema["$defs"].items():
        for key, field in definition.get("properties", {}).items():
            assert field.get("description"), f"{name}.{key} has no docstring"
    assert json.loads(json.dumps(schema)) == schema


def test_the_schema_lets_an_extending_file_leave_things_out() -> None:
    definitions: dict[str, Any] = json_schema(KINDS)["$defs"]
    assert "required" not in definitions["MacroScenario"]
    assert "required" not in definitions["MacroPaths"]
    assert {"name", "portfolio", "seed"} <= set(definitions["Study"]["required"])


# --- imports -----------------------------------------------------------------------------------------------------


def test_importing_the_room_is_light_and_its_names_come_on_first_use() -> None:
    code = (
        "import sys, scenarios, scenarios.vocabulary\n"
        "heavy = {'numpy', 'xarray', 'numba', 'scipy', 'matplotlib', 'pandas', 'pydantic', 'ruamel'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "scenarios.find_study('default')\n"
        "assert not (heavy - {'pydantic', 'ruamel'}) & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(scenarios.__file__).parents[1])


def test_every_exported_name_exists() -> None:
    for name in scenarios.__all__:
        assert getattr(scenarios, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = scenarios.nothing  # type: ignore[attr-defined]  # the point of the test


def test_shipped_text_keeps_its_comments() -> None:
    assert SCENARIOS.text("baseline").startswith("# The economy goes on as it is.")
