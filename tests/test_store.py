"""A run on disk: whole or not there, the same bytes each time, readable from itself, every bit accounted for."""

from __future__ import annotations

import datetime
import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from outputs import manifest, run_folder, store
from outputs.manifest import RunFacts, run_facts
from sample_results import sample_results
from scenarios.digest import file_digest
from scenarios.errors import InputError, IntegrityError

STUDY = json.dumps({"kind": "study", "name": "sample", "note": "x" * 100_000})  # past HDF5's 64 kB for an attribute


FEW = ["balance", "ultimate_loss_after_horizon", "loss_by_region", "transition_count_mean", "global_factor", "macro"]
"""Variables of each kind; the whole vocabulary takes two seconds to write, which one test can afford."""


@pytest.fixture(scope="module")
def all_results() -> xr.Dataset:
    return sample_results(n_paths=60, n_months=6)


@pytest.fixture(scope="module")
def results(all_results: xr.Dataset) -> xr.Dataset:
    return all_results[FEW]


@pytest.fixture(scope="module")
def inputs() -> dict[str, xr.Dataset | str]:
    count = 50
    ids = np.array([f"00{number}" for number in range(count)], dtype=object)
    ids[3], ids[4] = "车贷-合同", ""
    tape = xr.Dataset(
        {
            "loan_id": ("loan", ids),
            "score": ("loan", np.where(np.arange(count) % 3 == 0, np.nan, 700.0)),
            "as_of_date": ("loan", np.full(count, np.datetime64("2024-12-31", "ns"))),
            "vehicle_new": ("loan", np.arange(count) % 2 == 0),
            "remaining_term": ("loan", np.arange(count)),
        },
        attrs={"currency": "USD"},
    )
    return {"tape": tape, "study": STUDY, "parameters": '{"name": "us_near_prime"}'}


@pytest.fixture(scope="module")
def facts(results: xr.Dataset, inputs: dict[str, xr.Dataset | str]) -> RunFacts:
    return run_facts(results, inputs, {"this test": file_digest(Path(__file__))}, ("VaR 99.9 % is unreliable",))


@pytest.fixture
def write(results: xr.Dataset, inputs: dict[str, xr.Dataset | str], facts: RunFacts) -> Callable[..., Path]:
    def write_to(folder: Path, *, force: bool = False) -> Path:
        def documents(building: Path) -> None:
            (building / "report.html").write_text("<p>report</p>")
            (building / "tables").mkdir()
            (building / "tables" / "summary.csv").write_text("a,b\n1,2\n")

        record = {"started": datetime.datetime.now(datetime.UTC).isoformat()}
        return store.write_run(folder, results, inputs, facts, force=force, documents=documents, run_record=record)

    return write_to


def test_a_results_file_that_may_not_be_read_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions bind no superuser, who may run the tests: the refusal is the system's, made up."""
    (tmp_path / "results.nc").write_bytes(b"")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError) as caught:
        store.read_inputs(tmp_path)
    assert str(caught.value).endswith(
        "results.nc: reading it is not permitted; expected a file that may be read. "
        "Ask its owner, or change its permissions."
    )


# --- what is in the file -----------------------------------------------------------------------------


def test_results_come_back_as_they_were(all_results: xr.Dataset, facts: RunFacts, tmp_path: Path) -> None:
    results = all_results
    folder = store.write_run(tmp_path / "run", results, {}, facts)
    found = store.read_results(folder)
    xr.testing.assert_equal(found, results)
    xr.testing.assert_equal(store.read_results(folder / "results.nc"), results)
    for name in results.variables:
        if results[name].dtype.kind != "M":
            assert found[name].dtype.kind == results[name].dtype.kind, name
    assert found.attrs == {name: results.attrs[name] for name in found.attrs}
    assert isinstance(found.attrs["opening_balance"], float)


def test_inputs_come_back_so_that_the_run_can_be_made_again(
    write: Callable[..., Path],
    inputs: dict[str, xr.Dataset | str],
    facts: RunFacts,
    results: xr.Dataset,
    tmp_path: Path,
) -> None:
    folder = write(tmp_path / "run")
    found = store.read_inputs(folder)
    assert found["study"] == STUDY
    assert found["parameters"] == inputs["parameters"]
    xr.testing.assert_identical(found["tape"], inputs["tape"])
    assert found["tape"]["loan_id"].values[3] == "车贷-合同"
    assert run_facts(store.read_results(folder), found).run_id == facts.run_id
    identity = store.read_facts(folder)
    assert identity["run_id"] == facts.run_id
    assert identity["warnings"] == ["VaR 99.9 % is unreliable"]
    assert identity["seed"] == 1


def test_file_follows_the_climate_and_forecast_conventions(write: Callable[..., Path], tmp_path: Path) -> None:
    """Read with h5py, so that no decoding hides what was written."""
    with h5py.File(write(tmp_path / "run") / "results.nc") as file:
        assert set(file) >= {"inputs", "results", "attrs"}
        assert file.attrs["Conventions"] == "CF-1.11"
        for name in ("title", "institution", "source", "history", "references"):
            assert file.attrs[name]
        group = file["results"]
        assert group["path"].attrs["standard_name"] == "realization"
        assert group["month_end"].attrs["units"] == "days since 1970-01-01"
        assert group["month_end"][0] == (np.datetime64("2025-01-31") - np.datetime64("1970-01-01")).astype(int)
        balance = group["balance"]
        assert (balance.attrs["units"], balance.attrs["cell_methods"]) == ("USD", "month: point")
        assert balance.attrs["long_name"] == "closing principal of live loans"
        assert group["global_factor"].attrs["units"] == "1"
        for name in ("month", "path", "batch", "month_end", "parameter_draw"):
            assert "_FillValue" not in group[name].attrs, "a fill value would turn integers into floats"


def test_every_variable_and_coordinate_says_what_it_is(results: xr.Dataset, tmp_path: Path) -> None:
    dims = ("rung", "incident", "criterion", "pool")
    store.write_results(tmp_path / "results.nc", results.assign_coords({dim: (dim, ["a"]) for dim in dims}))
    with h5py.File(tmp_path / "results.nc") as file:
        assert [name for name, item in file["results"].items() if "long_name" not in item.attrs] == []


def test_writing_leaves_the_results_in_memory_alone(
    write: Callable[..., Path], results: xr.Dataset, tmp_path: Path
) -> None:
    before = results.copy(deep=True)
    write(tmp_path / "run")
    xr.testing.assert_identical(results, before)


def test_text_that_is_missing_is_stored_as_empty_text(results: xr.Dataset, tmp_path: Path) -> None:
    tape = xr.Dataset({"channel": ("loan", np.array(["a", None], dtype=object))})
    facts = run_facts(results, {"tape": tape})
    folder = store.write_run(tmp_path / "run", results, {"tape": tape}, facts)
    assert store.read_inputs(folder)["tape"]["channel"].values.tolist() == ["a", ""]
    assert run_facts(results, store.read_inputs(folder)).run_id == facts.run_id


# --- same inputs, same bytes -------------------------------------------------------------------------


def test_same_inputs_give_the_same_bytes_but_for_the_run_record(write: Callable[..., Path], tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "somewhere" / "else")
    assert (first / "results.nc").read_bytes() == (second / "results.nc").read_bytes()
    pair = [json.loads((folder / "manifest.json").read_text()) for folder in (first, second)]
    assert pair[0]["run_record"] != pair[1]["run_record"]
    for document in pair:
        del document["run_record"], document["content_sha256"]
    assert pair[0] == pair[1]
    assert str(tmp_path).encode() not in (first / "results.nc").read_bytes()
    assert str(tmp_path) not in (first / "manifest.json").read_text()


def test_run_id_hangs_on_inputs_seed_size_and_versions(
    results: xr.Dataset, inputs: dict[str, xr.Dataset | str], facts: RunFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_facts(results, inputs).run_id == facts.run_id
    assert len(facts.run_id) == manifest.RUN_ID_LENGTH
    tape = inputs["tape"]
    assert isinstance(tape, xr.Dataset)
    changed = tape.assign(score=tape["score"].fillna(650.0))
    others = [
        run_facts(results, {**inputs, "tape": changed}),
        run_facts(results, {**inputs, "study": "{}"}),
        run_facts(results.assign_attrs(seed=2), inputs),
        run_facts(results.isel(path=slice(0, 30)), inputs),
    ]
    monkeypatch.setattr(manifest, "versions", lambda: {**facts.versions, "numpy": "9.9"})
    others.append(run_facts(results, inputs))
    assert len({facts.run_id, *(other.run_id for other in others)}) == 6


def test_a_seed_of_64_bits_is_kept(results: xr.Dataset, tmp_path: Path) -> None:
    seeded = results.assign_attrs(seed=str(2**64 - 1))
    folder = store.write_run(tmp_path / "run", seeded, {}, run_facts(seeded, {}))
    assert store.read_facts(folder)["seed"] == 2**64 - 1
    assert store.read_manifest(folder)["seed"] == 2**64 - 1


def test_manifest_names_versions_machine_and_every_file(write: Callable[..., Path], tmp_path: Path) -> None:
    document = store.read_manifest(write(tmp_path / "run"))
    assert {"python", "numpy", "numba", "xarray", "h5netcdf", "carstress"} <= set(document["versions"])
    assert document["rng_scheme"] == "philox4x32-10/v1"
    assert {"system", "machine", "cpu"} <= set(document["platform"])
    assert set(document["output_files"]) == {"results.nc", "report.html", "tables/summary.csv"}
    assert document["input_files"] == {"this test": file_digest(Path(__file__))}


# --- whole or not at all -----------------------------------------------------------------------------


def test_an_existing_folder_is_refused_and_left_alone(write: Callable[..., Path], tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(InputError, match=r"run: the folder exists already; expected a name that is free.*--force"):
        write(tmp_path / "run")
    assert (folder / "manifest.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_force_replaces_a_run_and_leaves_nothing_behind(write: Callable[..., Path], tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    (folder / "notes.txt").write_text("mine")
    write(tmp_path / "run", force=True)
    assert not (folder / "notes.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert store.verify_run(folder) == ()


def test_force_never_deletes_what_is_no_run(write: Callable[..., Path], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"holds no run.*--force replaces earlier runs only"):
        write(home, force=True)
    assert (home / "thesis.tex").read_text() == "years of work"
    link = tmp_path / "link"
    link.symlink_to(home)
    with pytest.raises(InputError, match="is a file or a link"):
        write(link, force=True)


def test_a_failure_on_the_way_leaves_nothing(results: xr.Dataset, facts: RunFacts, tmp_path: Path) -> None:
    def documents(building: Path) -> None:
        assert (building / "results.nc").is_file()
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        store.write_run(tmp_path / "run", results, {}, facts, documents=documents)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_replacing_keeps_the_earlier_run(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "run")
    rename = Path.rename

    def fail_for_the_new(self: Path, target: Path) -> Path:
        if ".partial-" in self.name:
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new)
    with pytest.raises(OSError, match="Input/output error"):
        write(tmp_path / "run", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert store.verify_run(folder) == ()


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
def test_a_killed_writer_leaves_no_folder_under_the_final_name(tmp_path: Path) -> None:
    """The writer is killed while the folder is full but not renamed."""
    program = textwrap.dedent(
        f"""
        import sys, time
        sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[1])]!r}
        from pathlib import Path
        from sample_results import sample_results
        from outputs import store
        from outputs.manifest import run_facts
        results = sample_results(n_paths=20, n_months=3)[["balance"]]
        def documents(building):
            print("ready", flush=True)
            time.sleep(60)
        store.write_run(Path({str(tmp_path / "run")!r}), results, {{}}, run_facts(results, {{}}), documents=documents)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "run").exists()
    left = [path.name for path in tmp_path.iterdir()]
    assert all(name.startswith(".run.partial-") for name in left)


def test_a_single_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    run_folder.write_text(path, "old")

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        run_folder.write_text(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


# --- every bit is accounted for ----------------------------------------------------------------------


def test_every_flipped_bit_is_found_and_its_file_named(write: Callable[..., Path], tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    random = np.random.default_rng(3)
    for path in files:
        content = path.read_bytes()
        for place in random.integers(0, 8 * len(content), size=20):
            flipped = bytearray(content)
            flipped[place // 8] ^= 1 << (place % 8)
            path.write_bytes(flipped)
            with pytest.raises(IntegrityError, match=path.name):
                store.verify_run(folder)
        path.write_bytes(content)
    assert store.verify_run(folder) == ()


def test_a_missing_file_is_an_error_and_a_foreign_one_is_named(write: Callable[..., Path], tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    (folder / "notes.txt").write_text("mine")
    assert store.verify_run(folder) == ("notes.txt",)
    (folder / "tables" / "summary.csv").unlink()
    with pytest.raises(IntegrityError, match=r"summary\.csv: missing; the manifest lists it"):
        store.verify_run(folder)


@pytest.mark.parametrize("content", [None, b"", b"no netcdf at all", b"\x89HDF\r\n\x1a\n" + b"\0" * 500])
def test_what_is_no_result_is_bad_input(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "results.nc"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"results\.nc: .* expected"):
        store.read_results(path)


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_block_is_bad_input_as_a_cut_file_is(damage: str, facts: RunFacts, tmp_path: Path) -> None:
    """A byte inside a compressed block shows only when the block is read, long after the file was opened."""
    balance = sample_results(n_paths=200, n_months=6)[["balance"]]
    path = store.write_run(tmp_path / "run", balance, {"study": STUDY}, facts) / "results.nc"
    with h5py.File(path) as file:
        block = file["results/balance"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[block.byte_offset + block.size // 2] ^= 0xFF
    path.write_bytes(content if damage == "flipped" else content[: len(content) // 2])
    with pytest.raises(InputError, match=r"results\.nc: not readable \(.*expected .*damaged .*run again\."):
        store.read_results(tmp_path / "run")


def test_damage_of_which_hdf5_tells_as_a_runtime_error_is_bad_input(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Link iteration failed (incorrect metadata checksum)")

    folder = write(tmp_path / "run")
    monkeypatch.setattr(xr, "open_datatree", fail)
    with pytest.raises(InputError, match=r"not readable \(Link iteration failed .*run again\."):
        store.read_facts(folder)


def test_a_foreign_netcdf_file_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "other.nc"
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(InputError, match=r"no group inputs, results, attrs; expected results\.nc of carstress"):
        store.read_results(path)


def test_a_folder_without_manifest_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no manifest\.json; expected the folder of a run"):
        store.verify_run(tmp_path)
