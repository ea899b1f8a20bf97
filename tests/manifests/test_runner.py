"""The runner through the command line: no-op, resume, lock, equation, quarantine, exit statuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from siku_manifests.manifest import read_manifest


def identity(folder: Path) -> tuple[str, list[tuple[str, str]]]:
    manifest = read_manifest(folder)
    return manifest.id, [(record.path, record.sha256) for record in manifest.record.files]


def test_a_second_run_does_nothing_and_says_so(toy) -> None:
    first = toy.run("lines", toy.recipe)
    assert first.returncode == 0, first.stderr
    assert "poems: 240 read + 0 split = 240 kept + 0 joined + 0 dropped + 0 quarantined" in first.stdout
    before = {path: path.stat().st_mtime_ns for path in toy.folder("lines").rglob("*")}
    second = toy.run("lines", toy.recipe)
    assert second.returncode == 0
    assert "up to date" in second.stdout
    assert {path: path.stat().st_mtime_ns for path in toy.folder("lines").rglob("*")} == before
    assert not (toy.folder("lines") / "parts").exists()


def test_workers_hash_seed_and_folder_leave_no_trace(toy, tmp_path: Path) -> None:
    results = []
    for workers, seed, out in (("1", "0", "a"), ("2", "1", "b"), ("3", "77", "c/d")):
        toy.out = tmp_path / out
        done = toy.run("lines", toy.recipe, "--workers", workers, PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
        results.append(identity(toy.folder("lines")))
    assert len(results[0][1]) > 1  # several shards, so that boundaries are tested too
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(
    "victim", [pytest.param("0", marks=pytest.mark.slow), "3", pytest.param("5", marks=pytest.mark.slow)]
)
def test_killed_in_the_middle_a_rerun_finishes_with_the_same_bytes(toy, tmp_path: Path, victim: str) -> None:
    toy.run("lines", toy.recipe, "--workers", "1")
    expected = identity(toy.folder("lines"))
    toy.out = tmp_path / "killed"
    killed = toy.run("lines", toy.recipe, "--workers", "1", TOY_KILL_AT=victim)
    assert killed.returncode == -signal.SIGKILL
    again = toy.run("lines", toy.recipe, "--workers", "2")
    assert again.returncode == 0, again.stderr
    if victim != "0":
        assert f"resuming read, {victim} of 6 parts" in again.stderr
    assert identity(toy.folder("lines")) == expected


def test_a_dead_worker_is_one_sentence(toy) -> None:
    died = toy.run("lines", toy.recipe, "--workers", "2", TOY_KILL_AT="2")
    assert died.returncode == 1
    assert "a worker process died" in died.stderr
    assert "--workers 1" in died.stderr
    assert "Traceback" not in died.stderr
    assert toy.run("lines", toy.recipe).returncode == 0


def test_a_knob_redoes_only_what_depends_on_it(toy) -> None:
    assert toy.run("lines", toy.recipe).returncode == 0
    assert toy.run("lengths", toy.recipe).returncode == 0
    other = toy.run("lines", toy.recipe, "--set", "dedup.threshold=0.7")
    assert "up to date" in other.stdout
    redone = toy.run("lengths", toy.recipe, "--set", "dedup.threshold=0.7")
    assert redone.returncode == 0
    assert "up to date" not in redone.stdout
    assert len(list((toy.out / "toy").glob("lengths-*"))) == 2
    assert len(list((toy.out / "toy").glob("lines-*"))) == 1


def test_what_an_extended_recipe_has_built_is_used_from_there(toy, tmp_path: Path) -> None:
    assert toy.run("lines", toy.recipe).returncode == 0
    (tmp_path / "large").mkdir()
    large = tmp_path / "large" / "recipe.toml"
    large.write_text(f'extends = "{toy.recipe}"\n[dedup]\nthreshold = 0.7\n', encoding="utf-8")
    assert "up to date" in toy.run("lines", large).stdout
    assert toy.run("lengths", large).returncode == 0
    assert not list((toy.out / "large").glob("lines-*"))
    assert len(list((toy.out / "large").glob("lengths-*"))) == 1
    own = toy.run("lines", large, "--set", "seed=99")
    assert own.returncode == 0
    assert len(list((toy.out / "large").glob("lines-*"))) == 1


def test_a_changed_raw_file_redoes_its_stage(toy) -> None:
    toy.run("lines", toy.recipe)
    before = identity(toy.folder("lines"))
    (toy.raw / "6.txt").write_text("新的一句", encoding="utf-8")
    toy.run("lines", toy.recipe)
    folders = list((toy.out / "toy").glob("lines-????????"))
    assert len(folders) == 2
    assert {identity(folder)[0] for folder in folders} > {before[0]}


def test_a_missing_parent_names_the_command(toy) -> None:
    done = toy.run("lengths", toy.recipe)
    assert done.returncode == 2
    assert "needs the stage lines, which is not built from this recipe and code" in done.stderr
    assert "siku lines" in done.stderr


def test_records_that_do_not_add_up_are_refused(toy) -> None:
    done = toy.run("lines", toy.recipe, TOY_LOSE="1")
    assert done.returncode == 1
    assert "does not add up" in done.stderr
    assert not (toy.folder("lines") / "manifest.json").exists()


def test_quarantine_beyond_the_limit_is_status_3_every_time(toy) -> None:
    (toy.raw / "bad.txt").write_bytes("好\n".encode() + b"\xff\xfe\n")
    for _ in range(2):
        done = toy.run("lines", toy.recipe)
        assert done.returncode == 3
        assert "1 records are in quarantine" in done.stderr
    assert toy.run("lines", toy.recipe, "--set", "max_quarantine=1").returncode == 0


def test_missing_raw_data_says_where_to_put_it(toy) -> None:
    done = toy.run("lines", toy.recipe, "--set", "source.poems.where=/nowhere/at/all")
    assert done.returncode == 2
    assert "--set source.poems.where=PLACE" in done.stderr
    done = toy.run("lines", toy.recipe, "--set", 'source.poems.path=["*.csv"]')
    assert done.returncode == 2
    assert "matches *.csv" in done.stderr


def start(toy, **environment: str) -> subprocess.Popen[bytes]:
    # A shell lets what it runs in the background ignore SIGINT, and the tests may run there.
    as_in_a_terminal = ("env", "--default-signal=INT")
    return subprocess.Popen(
        [
            *as_in_a_terminal,
            sys.executable,
            "-m",
            "siku_manifests",
            "lines",
            toy.recipe,
            "--out",
            str(toy.out),
            "--workers",
            "2",
        ],
        env={**os.environ, "PYTHONPATH": str(toy.home), "TOY_SLEEP": "0.4", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def wait_for_first_part(toy, running: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        if list((toy.out / "toy").glob("lines-*/parts/read/?????")):
            return
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.05)
    pytest.fail("no part was finished in 20 seconds")


def test_a_second_writer_is_turned_away_at_once(toy) -> None:
    running = start(toy)
    wait_for_first_part(toy, running)
    second = toy.run("lines", toy.recipe)
    assert second.returncode == 75
    assert f"process {running.pid} is working here" in second.stderr
    assert running.wait(30) == 0
    running.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_130_and_a_rerun_goes_on(toy, number: int) -> None:
    running = start(toy)
    wait_for_first_part(toy, running)
    running.send_signal(number)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "goes on from here" in said.decode()
    assert b"Traceback" not in said
    again = toy.run("lines", toy.recipe)
    assert again.returncode == 0
    assert "resuming read" in again.stderr


def test_workers_do_not_outlive_a_killed_parent(toy) -> None:
    running = start(toy)
    wait_for_first_part(toy, running)
    children = subprocess.run(
        ["ps", "--no-headers", "-o", "pid", "--ppid", str(running.pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    assert children
    running.kill()
    running.wait()
    running.stderr.close()
    for _ in range(100):
        alive = [child for child in children if Path(f"/proc/{child}").exists()]
        states = [Path(f"/proc/{child}/stat").read_text().split(") ")[1][0] for child in alive]
        if all(state == "Z" for state in states):
            break
        time.sleep(0.1)
    else:
        pytest.fail(f"workers {alive} are still running")
    assert toy.run("lines", toy.recipe).returncode == 0


@pytest.fixture
def tiny_disk(tmp_path: Path):
    place = tmp_path / "tiny"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20k", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_status_5_and_one_sentence(toy, tiny_disk: Path) -> None:
    toy.out = tiny_disk
    full = toy.run("lines", toy.recipe)
    assert full.returncode == 5, full.stderr
    assert "the disk is full; free some room or give another place with --out" in full.stderr
    assert "Traceback" not in full.stderr
    toy.out = tiny_disk.parent / "roomy"
    assert toy.run("lines", toy.recipe).returncode == 0


def test_a_place_that_cannot_be_written_is_status_5(toy, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    for place in (in_the_way, Path("/proc/nowhere")):
        toy.out = place
        done = toy.run("lines", toy.recipe)
        assert done.returncode == 5, done.stderr
        assert "give another place with --out" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_library_of_an_extra_is_named_with_the_way_to_get_it(toy) -> None:
    work = toy.home / "toy_room" / "work.py"
    work.write_text("import no_such_library\n" + work.read_text())
    done = toy.run("lines", toy.recipe)
    assert done.returncode == 2
    assert "needs no_such_library, which is not installed; install Siku with pip install 'siku[train]'" in done.stderr


def test_run_record_stands_outside_the_id(toy) -> None:
    toy.run("lines", toy.recipe)
    record = json.loads((toy.folder("lines") / "run.json").read_text())
    assert set(record["seconds"]) == {"read", "finish"}
    assert record["peak_memory_mb"] > 10
    assert "run.json" not in (toy.folder("lines") / "manifest.json").read_text()
