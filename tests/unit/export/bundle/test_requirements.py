"""Which packages a folder of wheels lacks, for the Python of another host."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from export.bundle.requirements import Target, Wheel, read_all, unmet
from triptych.errors import TriptychError

ROOT = [Requirement("served[check]")]


def wheel(folder: Path, name: str, version: str = "1.0", *requires: str, python: str = ">=3.8") -> Path:
    """Write a wheel that holds nothing but its metadata."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", f"Requires-Python: {python}"]
    lines += [f"Requires-Dist: {need}" for need in requires]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(lines) + "\n\n")
    return path


def missing(folder: Path, python: str = "3.11", cuda: bool = False) -> list[str]:
    return [str(need) for need in unmet(read_all(folder), ROOT, Target(python, cuda))]


def test_what_is_needed_is_followed_from_package_to_package(tmp_path: Path):
    wheel(tmp_path, "served", "1.0", "near>=2", 'asked; extra == "check"', 'never; extra == "dev"')
    assert missing(tmp_path) == ["asked", "near>=2"]
    wheel(tmp_path, "near", "2.1", "Far_Away[speed]<3")
    wheel(tmp_path, "asked")
    assert missing(tmp_path) == ["Far_Away[speed]<3"]
    wheel(tmp_path, "far_away", "2.9", 'quick; extra == "speed"', "served")
    assert missing(tmp_path) == ["quick"]
    wheel(tmp_path, "quick")
    assert missing(tmp_path) == []


def test_markers_are_those_of_the_host_that_it_is_for(tmp_path: Path):
    wheel(
        tmp_path, "served", "1.0", 'old; python_version < "3.11"', 'new; python_version >= "3.12"', 'win; os_name=="nt"'
    )
    assert missing(tmp_path, "3.10") == ["old"]
    assert missing(tmp_path, "3.11") == []
    assert missing(tmp_path, "3.12") == ["new"]


def test_a_wheel_of_another_release_does_not_do(tmp_path: Path):
    wheel(tmp_path, "served", "1.0", "near==2.0")
    wheel(tmp_path, "near", "2.1")
    assert missing(tmp_path) == ["near==2.0"]


def test_with_cuda_its_build_of_onnxruntime_is_wanted_with_nvidias_libraries(tmp_path: Path):
    wheel(tmp_path, "served", "1.0", "onnxruntime==1.31.1")
    wheel(tmp_path, "onnxruntime", "1.31.1")
    assert missing(tmp_path) == []
    assert missing(tmp_path, cuda=True) == ["onnxruntime-gpu[cuda,cudnn]==1.31.1"]
    wheel(tmp_path, "onnxruntime_gpu", "1.31.1", 'nvidia-cudnn; extra == "cudnn"')
    assert missing(tmp_path, cuda=True) == ["nvidia-cudnn"]


def test_two_releases_of_one_package_are_named(tmp_path: Path):
    for version in ("1.0", "1.1"):
        wheel(tmp_path, "near", version)
    with pytest.raises(TriptychError, match=r"near-1\.0-.* near-1\.1|near-1\.1-.* near-1\.0"):
        read_all(tmp_path)


def test_a_wheel_that_is_cut_short_is_named(tmp_path: Path):
    path = wheel(tmp_path, "near")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(TriptychError, match=path.name):
        Wheel.read(path)


def test_the_tags_are_those_that_fit_glibc_2_35_and_no_newer():
    tags = Target("3.12").platforms
    assert tags[0] == "manylinux_2_35_x86_64"
    assert {"manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"} <= set(tags)
    assert not any("2_36" in tag for tag in tags)
