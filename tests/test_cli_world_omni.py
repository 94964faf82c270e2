"""The main job on a real pool, where its data lie beside the checkout: docs/examples/world_omni through the command."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from command_line import Answer, carstress
from outputs.manifest import file_digest, read_manifest
from outputs.store import read_results

EXAMPLE = Path(__file__).resolve().parents[1] / "docs" / "examples" / "world_omni"
POOL = "WORLD_OMNI_FINANCIAL_CORP.csv.gz"
BALANCE = "184,506,367.68"
TIERS = {"us_super_prime", "us_prime", "us_near_prime", "us_subprime", "us_deep_subprime"}
HORIZON = 36
PATHS = 50


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's files in a folder of their own, still without the tape."""
    return Path(shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("home") / "world_omni"))


@pytest.fixture
def answer(home: Path, shared_data: Callable[[str], Path]) -> Answer:
    """Answer of a run of the example on few paths; made once."""
    pool = shared_data("world_omni_2020") / POOL
    if not (home / POOL).exists():
        (home / POOL).symlink_to(pool)
        with contextlib.chdir(home):
            _KEPT[home] = carstress("run", "study.yaml", "--paths", PATHS, "--out", "run")
    return _KEPT[home]


_KEPT: dict[Path, Answer] = {}


def test_the_example_says_what_it_misses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    missing = carstress("validate", "study.yaml")
    assert missing.code == 3
    line = (EXAMPLE / "study.yaml").read_text("utf-8").partition("  file:")[0].count("\n") + 1
    assert f"study.yaml:{line}:9: the file {POOL} does not exist" in missing.err
    assert carstress("validate", "mapping.yaml").code == 0


def test_every_row_and_cent_of_the_pool_is_accounted_for(answer: Answer, home: Path) -> None:
    assert answer.code == 0
    assert "7,572 read = 7,572 used + 0 rejected" in answer.err
    assert f"{BALANCE} USD read = {BALANCE} used + 0.00 rejected" in answer.err
    assert "7,572 loans x 50 paths x 36 months under fed_2025_baseline, fed_2025_severely_adverse" in answer.err
    results = read_results(home / "run")
    assert results.attrs["opening_balance"] == 184506367.68
    assert int(results.attrs["opening_count"]) == 7572
    assert dict(results.sizes).items() >= {"scenario": 2, "path": PATHS, "month": HORIZON}.items()
    assert set(results["tier"].values) == TIERS
    assert float(results["opening_balance_by_tier"].sum()) == pytest.approx(184506367.68, abs=0.005)
    hashes = read_manifest(home / "run")["input_files"]
    assert hashes == {name: file_digest(home / name) for name in (POOL, "mapping.yaml", "study.yaml")}


def test_the_severely_adverse_scenario_loses_more_on_every_path_and_in_every_tier(answer: Answer, home: Path) -> None:
    assert answer.code == 0
    results = read_results(home / "run").squeeze(["strategy", "programme"])
    loss = results["ultimate_loss"].sum("month") + results["ultimate_loss_after_horizon"]
    baseline, severe = loss.sel(scenario="fed_2025_baseline"), loss.sel(scenario="fed_2025_severely_adverse")
    # Paths are paired: the same draws meet both scenarios, so that one path tells.
    assert bool((severe > baseline).all())
    share = results["loss_by_tier"].mean("path") / results["opening_balance_by_tier"]
    order = ["us_super_prime", "us_prime", "us_near_prime", "us_subprime", "us_deep_subprime"]
    assert bool((share.sel(tier=order).diff("tier") > 0).all()), "a worse tier loses more"
    assert bool((share.diff("scenario") > 0).all())


def test_the_report_says_what_was_shifted_guessed_and_reconciled(answer: Answer, home: Path) -> None:
    assert answer.code == 0
    html = (home / "run" / "report.html").read_text("utf-8")
    text = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))
    for name in ("fed_2025_baseline", "fed_2025_severely_adverse"):
        assert f"Scenario {name} starts in 2025-01; it was shifted to follow the tape's 2020-07" in text
    assert "by assumption it follows the rise of unemployment 2 quarters later and falls by 20 %" in text
    assert f"used 7,572 {BALANCE}" in text
    assert "rejected 0 0.00" in text
    assert f"in 7,572 {BALANCE}" in text
    assert "payment_to_income (paymentToIncomePercentage) was read as a fraction" in text
    assert "World Omni pool of July 2020 under the Federal Reserve's 2025 scenarios" in text
    assert str(home) not in html, "a report is passed on: it names no folder of its maker"
