"""What a machine gives, how amounts are written, and what is said where a run does not fit."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from calibration.library import find_parameter_set
from command_line import SMALL_STUDY
from outputs import room
from outputs.quantities import bytes_text, parse_bytes, seconds_text
from outputs.room import Allowance, allowance, book_shortage, disk_shortage, memory_shortage, rounded_down
from scenarios.library import find_study
from scenarios.treatment import Uncertainty
from simulator import machine
from simulator.engine import RunSize
from simulator.machine import Room, free_disk, free_memory, peak_memory, resident_memory
from simulator.plan import Need
from simulator.study import StudyInputs, load_inputs

GIB, MIB = 1 << 30, 1 << 20

# --- amounts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("4GiB", 4 * GIB),
        ("4 gib", 4 * GIB),
        ("4g", 4 * GIB),
        ("4GB", 4 * 10**9),
        ("512 MiB", 512 * MIB),
        ("1.5g", 3 * GIB // 2),
        ("0.5TiB", 1 << 39),
    ],
)
def test_amounts_of_memory_are_read(text: str, nbytes: int) -> None:
    assert parse_bytes(text) == nbytes


@pytest.mark.parametrize("text", ["", "4", "GiB", "-1GiB", "0GiB", "4XB", "4,5GiB", "nan GiB", "4 GiB of it", "1e3MB"])
def test_what_is_no_amount_is_told_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number with MB, GB, MiB or GiB, as 4GiB"):
        parse_bytes(text)


SIZES = {
    "0 kiB": 0,
    "5 kiB": 5_360,
    "1.0 MiB": MIB,
    "310 MiB": 310 * MIB,
    "1.0 GiB": 1023.9 * MIB,
    "100 GiB": 99.96 * GIB,
    "2.0 TiB": 2048 * GIB,
}


@pytest.mark.parametrize(("text", "nbytes"), SIZES.items())
def test_amounts_of_memory_are_written(text: str, nbytes: float) -> None:
    assert bytes_text(nbytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.9, "9.9 s"),
        (38.2, "38 s"),
        (100.0, "1.7 minutes"),
        (3000.0, "50 minutes"),
        (9e3, "2.5 hours"),
    ],
)
def test_lengths_of_time_are_written(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


# --- the machine -------------------------------------------------------------------------------------------------


def proc(folder: Path, available_kib: int | None, groups: str) -> Path:
    """A /proc that tells what is asked."""
    (folder / "self").mkdir(parents=True)
    lines = ["MemTotal:       64000000 kB", *([] if available_kib is None else [f"MemAvailable:   {available_kib} kB"])]
    (folder / "meminfo").write_text("\n".join(lines) + "\n", "ascii")
    (folder / "self" / "cgroup").write_text(groups, "ascii")
    return folder


def group(folder: Path, version: int, limit: str, usage: int, cached: int = 0) -> None:
    """A control group's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for name, text in zip(names, (limit, str(usage)), strict=True):
        (folder / name).write_text(f"{text}\n", "ascii")
    key = "inactive_file" if version == 2 else "total_inactive_file"
    (folder / "memory.stat").write_text(f"cache 7\n{key} {cached}\n", "ascii")


def test_without_limits_what_the_kernel_calls_available_is_free(tmp_path: Path) -> None:
    place = proc(tmp_path / "proc", 2_000_000, "0::/\n")
    group(tmp_path / "groups", 2, "max", 5 * GIB)
    found = free_memory(place, tmp_path / "groups")
    assert found == Room(2_000_000 * 1024, "what is available on this machine")


@pytest.mark.parametrize("version", [1, 2])
def test_a_container_has_what_its_tightest_limit_leaves(tmp_path: Path, version: int) -> None:
    """The parent's limit is the tighter one, and memory that only caches files counts as free."""
    place = proc(tmp_path / "proc", 30_000_000, "0::/a/b\n" if version == 2 else "9:cpu:/x\n4:memory,hugetlb:/a/b\n")
    root = tmp_path / "groups" / ("" if version == 2 else "memory")
    group(root / "a" / "b", version, str(8 * GIB), 1 * GIB)
    group(root / "a", version, str(4 * GIB), 3 * GIB, cached=GIB // 2)
    found = free_memory(place, tmp_path / "groups")
    assert found == Room(3 * GIB // 2, "what the memory limit of this container (4.0 GiB) leaves")


def test_a_group_whose_path_is_the_hosts_is_found_at_the_root(tmp_path: Path) -> None:
    place = proc(tmp_path / "proc", 30_000_000, "0::/kubepods/pod7/abc\n")
    group(tmp_path / "groups", 2, str(2 * GIB), GIB)
    found = free_memory(place, tmp_path / "groups")
    assert found is not None
    assert found.nbytes == GIB


def test_version_1_without_a_limit_states_a_number_near_2_to_the_63(tmp_path: Path) -> None:
    place = proc(tmp_path / "proc", 1_000, "4:memory:/a\n")
    group(tmp_path / "groups" / "memory" / "a", 1, "9223372036854771712", GIB)
    found = free_memory(place, tmp_path / "groups")
    assert found is not None
    assert found.nbytes == 1_000 * 1024


def test_a_system_without_proc_has_its_physical_memory_or_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_physical_memory", lambda: 16 * GIB)
    found = free_memory(tmp_path / "none", tmp_path / "none")
    assert found == Room(16 * GIB, "the physical memory of this machine", whole=True)
    monkeypatch.setattr(machine, "_physical_memory", lambda: None)
    assert free_memory(tmp_path / "none", tmp_path / "none") is None


def test_this_process_holds_what_it_was_given() -> None:
    before = resident_memory()
    if before is None:
        pytest.skip("this system does not tell what a process holds")
    block = bytearray(64 * MIB)
    after, peak = resident_memory(), peak_memory()
    assert after is not None
    assert peak is not None
    assert 0.9 * len(block) < after - before < 2.0 * len(block)
    assert peak >= 0.9 * after


def test_the_peak_is_this_process_s_own_not_that_of_the_one_that_started_it() -> None:
    """A notebook or a scheduler that holds gigabytes starts runs; `getrusage` counts its memory as theirs."""
    mine = resident_memory()
    if mine is None or not sys.platform.startswith("linux"):
        pytest.skip("this system has no /proc")
    block = bytearray(96 * MIB)
    script = "from simulator.machine import peak_memory; print(peak_memory())"
    answer = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert int(answer.stdout) < len(block)


def test_where_proc_does_not_tell_the_peak_the_system_is_asked(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "status").write_text("Name:\tpython\nVmHWM:\t    8740 kB\n", "ascii")
    assert peak_memory(tmp_path) == 8740 * 1024
    if sys.platform != "win32":
        assert peak_memory(tmp_path / "none") is not None


def test_free_disk_is_that_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert free_disk(tmp_path / "not" / "there") == pytest.approx(free_disk(tmp_path), rel=0.05)


# --- what does not fit -------------------------------------------------------------------------------------------


def need(**changes: float) -> Need:
    """A run of 1,000 paths whose results take a GiB beside half a GiB of all the rest."""
    beside = {"arranging": 20, "book": 10, "scratch": 8, "block": 40, "further": 2, "publishing": 150, "program": 300}
    usual = {name: size * MIB for name, size in beside.items()}
    usual |= {"told": True, "dataset": GIB, "so_far": 0, "paths": 1_000, "path": GIB / 1_000}
    return Need(**{**usual, **changes})


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> StudyInputs:
    file = tmp_path_factory.mktemp("room") / "study.yaml"
    file.write_text(SMALL_STUDY, "utf-8")
    return load_inputs(find_study(file), find_parameter_set)


def test_stages_come_one_after_the_other() -> None:
    assert need().working == 150 * MIB
    assert need(block=200 * MIB).working == (10 + 8 + 200 + 2) * MIB
    assert need(arranging=400 * MIB).working == 402 * MIB
    assert need().total == 300 * MIB + GIB + 150 * MIB
    assert need(so_far=9 * GIB).total == 9 * GIB


def test_what_may_be_taken() -> None:
    assert allowance(None, None, GIB) is None
    assert allowance(7, Room(9, "free"), 5) == Allowance(7, "the limit that was set")
    assert allowance(None, Room(9, "free"), 5) == Allowance(14, "free")
    assert allowance(None, Room(9, "all of it", whole=True), 5) == Allowance(9, "all of it")


def test_a_run_that_fits_has_no_fault(inputs: StudyInputs) -> None:
    assert memory_shortage(inputs, need(), RunSize(2), Allowance(need().total, "free")) is None


def test_too_many_paths_are_told_how_many_would_fit(inputs: StudyInputs) -> None:
    allowed = Allowance(need().total - GIB // 2, "free")
    fault = memory_shortage(inputs, need(), RunSize(2), allowed)
    assert fault is not None
    assert str(fault).endswith(
        "study.yaml:7:8: a run that takes 1.4 GiB of memory at its peak, 1.0 GiB of it for the results of 100 paths; "
        "expected at most 962 MiB, free. `--paths 500` fits; a study of fewer scenarios takes less. "
        "`--memory-limit none` starts it all the same."
    )
    assert need().most_paths(allowed.nbytes) == 500
    assert need(paths=500, dataset=GIB // 2).total <= allowed.nbytes


def test_a_pooled_book_on_many_threads_is_told_of_one(inputs: StudyInputs) -> None:
    wide = need(scratch=8 * GIB, dataset=MIB)
    fault = memory_shortage(inputs, wide, RunSize(8), Allowance(4 * GIB, "free"))
    assert fault is not None
    assert fault.remedy == "`--threads 1` spares 7.0 GiB. `--memory-limit none` starts it all the same."


def test_a_large_book_and_a_tiny_limit_are_told_apart(inputs: StudyInputs) -> None:
    book = memory_shortage(inputs, need(arranging=9 * GIB, dataset=MIB), RunSize(2), Allowance(GIB, "free"))
    tiny = memory_shortage(inputs, need(dataset=MIB, path=1_000.0), RunSize(2), Allowance(100 * MIB, "free"))
    assert book is not None
    assert tiny is not None
    assert book.remedy.startswith("Its book of 200 loans takes most of it: run a part of the book.")
    began = memory_shortage(inputs, need(dataset=MIB, so_far=310 * MIB), RunSize(2), Allowance(100 * MIB, "free"))
    assert began is not None
    assert began.remedy == tiny.remedy
    assert tiny.remedy.startswith("450 MiB of it do not depend on paths: a limit must be above that.")


def test_a_book_whose_reading_took_too_much_is_not_told_of_paths(inputs: StudyInputs) -> None:
    read = need(so_far=9 * GIB)
    fault = memory_shortage(inputs, read, RunSize(8), Allowance(4 * GIB, "free"))
    assert fault is not None
    assert fault.remedy.startswith("Reading the book of 200 loans took 9.0 GiB: run a part of the book. `--memory-")
    assert read.most_paths(4 * GIB) == 0
    assert read.most_paths(9 * GIB) > 1_000


def test_drawn_parameters_need_two_paths_a_draw(inputs: StudyInputs) -> None:
    """Fewer paths than that are no way out."""
    uncertain = inputs.study.model_copy(update={"uncertainty": Uncertainty(draws=300)})
    fault = memory_shortage(
        replace(inputs, study=uncertain), need(), RunSize(2), Allowance(need().total - GIB // 2, "")
    )
    assert fault is not None
    assert "--paths" not in fault.remedy


def test_a_book_to_draw_is_refused_by_its_size_alone(inputs: StudyInputs) -> None:
    assert book_shortage(inputs.study, Allowance(200 * room.BOOK_LOAN, "free")) is None
    fault = book_shortage(inputs.study, Allowance(100_000, "free"))
    assert fault is not None
    assert "study.yaml:4:49: a book of 200 loans, which takes about 176 kiB of memory by itself" in str(fault)
    assert "111 loans fit, without results." in fault.remedy


def test_files_that_the_disk_has_no_room_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(room, "free_disk", lambda _: GIB)
    assert disk_shortage(GIB, tmp_path) is None
    fault = disk_shortage(GIB + 1, tmp_path / "r")
    assert fault is not None
    assert str(fault).startswith(f"{tmp_path / 'r'}: about 1.0 GiB of files; expected at most 1.0 GiB, what is free on")
    monkeypatch.setattr(room, "free_disk", lambda _: None)
    assert disk_shortage(1 << 60, tmp_path) is None


@pytest.mark.parametrize(("number", "found"), [(0, 0), (7, 7), (99, 99), (123, 120), (54_321, 54_000)])
def test_suggestions_have_two_digits_and_never_more_than_fits(number: int, found: int) -> None:
    assert rounded_down(number) == found
