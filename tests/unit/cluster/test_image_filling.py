"""What fills an image: locked wheels less what it has no use for, compiled where it is imported, and listed."""

import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_image.bill import bill, debian_components, python_component
from chimera_image.compiling import compile_imported
from chimera_image.installing import install, prune
from chimera_image.lock import without

ROOT = Path(__file__).resolve().parents[3]

STATUS = """Package: libc6
Architecture: amd64
Version: 2.36-9+deb12u10
Description: GNU C Library
 Version: of a continuation, which is none
Status: install ok unpacked

Package: gone
Architecture: amd64
Version: 1
Status: deinstall ok config-files
"""

projects = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True), unique=True, min_size=1, max_size=8)


def locked(names: list[str]) -> str:
    return "# a comment\n" + "".join(f"{name}==1.0 \\\n    --hash=sha256:{'0' * 64}\n" for name in names)


@given(names=projects, data=st.data())
def test_lock_without_projects_has_all_others(names: list[str], data: st.DataObject) -> None:
    """What is left out goes with its hashes; everything else stays as it was, in its order."""
    left_out = data.draw(st.sets(st.sampled_from(names)))

    assert without(locked(names), left_out) == locked([name for name in names if name not in left_out])


@given(names=projects)
def test_lock_misses_what_it_does_not_have(names: list[str]) -> None:
    """To leave out a project that is not locked is an error: the Dockerfile is out of date."""
    with pytest.raises(ValueError, match="does not have Absent"):
        without(locked(names), ["Absent"])


@pytest.mark.parametrize("part", ["router", "operator", "simulator"])
def test_dockerfile_leaves_out_only_what_is_locked(part: str) -> None:
    """Each project that an image goes without is one of its lock's."""
    dockerfile = (ROOT / "images" / part / "Dockerfile").read_text()
    names = [word.partition("=")[2].rstrip('",') for word in dockerfile.split('"') if word.startswith("--without=")]

    assert without((ROOT / "requirements" / f"{part}.lock").read_text(), names)


def test_what_nobody_runs_is_pruned(tmp_path: Path) -> None:
    """Globs take folders and files; one that finds nothing is an error, for the wheel has changed."""
    for name in ("package/tests/deep/one.py", "package/api/two.py", "package/api/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    prune(tmp_path, ["package/**/tests", "package/api/[a-z]*.py"])

    assert [path.name for path in tmp_path.rglob("*.py")] == ["__init__.py"]
    with pytest.raises(ValueError, match="nothing to prune: other"):
        prune(tmp_path, ["other"])


def test_only_what_is_imported_is_compiled(tmp_path: Path) -> None:
    """A module that the program imports starts without compiling, whatever the date of its source; others stay text."""
    (tmp_path / "used.py").write_text("import indirect\n")
    (tmp_path / "indirect.py").write_text("print('at work')\n")
    (tmp_path / "unused.py").write_text("")
    sys_path = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}

    compile_imported(tmp_path, ["used"])

    compiled = {path.name.partition(".")[0] for path in (tmp_path / "__pycache__").iterdir()}
    assert compiled == {"used", "indirect"}
    (tmp_path / "indirect.py").write_text("print('edited')\n")  # the compiled file counts, not the date
    done = subprocess.run(
        [sys.executable, "-c", "import used"], env=sys_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "at work\n"


def test_wheels_alone_are_installed(tmp_path: Path) -> None:
    """A wheel of the folder lands in the target, by the pip that lies beside it, without compiled files."""
    wheels, target = tmp_path / "wheels", tmp_path / "app"
    wheels.mkdir()
    wheel(wheels, "thing", {"thing/__init__.py": "value = 1\n"})
    wheel(wheels, "pip", {"pip/__init__.py": "", "pip/__main__.py": PIP})

    install(wheels, target, "thing")

    assert (target / "said").read_text().split()[-2:] == [f"--target={target}", "thing"]
    assert {"--no-index", "--no-deps", "--no-compile"} <= set((target / "said").read_text().split())


# In pip's place, which no test should need the network to have: it notes how it was called.
PIP = """
import pathlib, sys
target = pathlib.Path(next(each for each in sys.argv if each.startswith("--target=")).partition("=")[2])
target.mkdir()
(target / "said").write_text(" ".join(sys.argv[1:]))
"""


def wheel(folder: Path, name: str, files: dict[str, str]) -> None:
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def test_bill_lists_distributions(tmp_path: Path) -> None:
    """A distribution is listed by its package URL, with its licence from either field."""
    for name, field in (("New_One", "License-Expression: MIT"), ("old", "Classifier: License :: OSI Approved :: BSD")):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0+local\n{field}\n\nText\n")

    found = [python_component(each) for each in metadata.distributions(path=[str(tmp_path)])]
    new, old = sorted(found, key=lambda component: str(component["purl"]))

    assert new["purl"] == "pkg:pypi/new-one@1.0%2Blocal"
    assert new["licenses"] == [{"expression": "MIT"}]
    assert old["licenses"] == [{"license": {"name": "BSD"}}]


def test_bill_lists_packages_that_are_there() -> None:
    """Debian's packages come from dpkg's status, less those that were removed."""
    (libc,) = debian_components(STATUS, "debian-12")

    assert libc["version"] == "2.36-9+deb12u10"
    assert libc["purl"] == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12"


def test_equal_images_have_equal_bills() -> None:
    """A bill does not depend on the order in which its components were found."""
    one, two = ({"purl": purl, "name": purl} for purl in ("pkg:a", "pkg:b"))

    first, second = bill("image", "1", [one, two]), bill("image", "1", [two, one])

    assert first == second
    assert (first["bomFormat"], first["specVersion"]) == ("CycloneDX", "1.6")
    assert first["metadata"]["component"]["name"] == "image"
