"""Limits of the control groups of a process, and of the groups that they are in."""

from pathlib import Path

from gan_runtime.devices.cgroups import groups
from gan_runtime.devices.memory import available_memory
from gan_runtime.devices.processors import _cgroup_quota


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_the_job_of_a_cluster_has_the_limits_of_all_groups_around_it(tmp_path: Path) -> None:
    job = "sys/fs/cgroup/slurm/job_7"
    files = {
        "proc/self/cgroup": "0::/slurm/job_7/step_0\n",
        f"{job}/cpu.max": "150000 100000\n",
        f"{job}/step_0/cpu.max": "max 100000\n",
        f"{job}/memory.max": "3000000",
        f"{job}/memory.current": "1000000",
        f"{job}/memory.stat": "anon 0\n",
        f"{job}/step_0/memory.max": "max",
        "sys/fs/cgroup/slurm/memory.max": "9000000",
        "sys/fs/cgroup/slurm/memory.current": "8500000",
        "sys/fs/cgroup/slurm/memory.stat": "anon 0\ninactive_file 250000\n",
    }
    write(tmp_path, **files)
    assert _cgroup_quota(tmp_path) == 1.5
    assert available_memory(tmp_path) == 750_000


def test_groups_of_version_1_are_found_by_their_controller(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{
            "proc/self/cgroup": "4:memory:/process/x\n3:cpu,cpuacct:/docker/y\n1:name=systemd:/z\n0::/\n",
            "sys/fs/cgroup/cpu/docker/y/cpu.cfs_quota_us": "250000",
            "sys/fs/cgroup/cpu/docker/y/cpu.cfs_period_us": "100000",
        },
    )
    assert _cgroup_quota(tmp_path) == 2.5
    names = [str(path.relative_to(tmp_path / "sys/fs/cgroup")) for path in groups("memory", tmp_path)]
    assert names == [".", "memory", "memory/process/x", "memory/process"]


def test_a_path_out_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, **{"proc/self/cgroup": "0::/../../other\nnonsense\n"})
    assert groups("cpu", tmp_path) == [tmp_path / "sys/fs/cgroup", tmp_path / "sys/fs/cgroup/cpu"]
