#!/usr/bin/env python3
"""Runs kernel_bench with numpy's BLAS and SimSIMD beside nanovec's kernels.

Both are installed from PyPI into a virtual environment in a cache directory.
Their shared objects are then called from C, like the kernels: what Python
adds to a call would hide what is compared.  SimSIMD's shared object is a
Python module that cannot be loaded without Python around it, so kernel_bench
runs inside the environment's Python as a shared object itself.

Without pip or network, kernel_bench runs alone.
"""

import argparse
import os
import pathlib
import platform
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = ["numpy", "simsimd>=6,<7"]

# Runs in the environment's Python: argv is a shared object and its arguments.
RUN_SHARED = """
import ctypes, sys
arguments = [s.encode() for s in ["kernel_bench"] + sys.argv[2:]]
argv = (ctypes.c_char_p * (len(arguments) + 1))(*arguments, None)
sys.exit(ctypes.CDLL(sys.argv[1]).kernel_bench_main(len(arguments), argv))
"""


def say(text):
    print(text, flush=True)


def cache_directory():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "nanovec" / "kernel-bench"


def environment_python(cache):
    """Python of an environment that has the packages, or None."""
    python = cache / "venv" / "bin" / "python"
    check = [str(python), "-c", "import numpy, simsimd"]
    try:
        if python.exists() and subprocess.run(check, capture_output=True).returncode == 0:
            return python
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(cache / "venv")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet",
                        "--disable-pip-version-check", *PACKAGES], check=True)
        subprocess.run(check, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"numpy and SimSIMD are not available, running without them: {error}")
        return None
    return python


def shared_objects(python):
    """Options that name the shared objects of the peers; prints their versions."""
    code = ("import importlib.metadata as m, sysconfig;"
            "print(sysconfig.get_path('platlib'), m.version('numpy'), m.version('simsimd'))")
    out = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    where, numpy_version, simsimd_version = out.stdout.split()
    say(f"numpy {numpy_version}, SimSIMD {simsimd_version}")
    options = []
    for option, pattern in (("--blas", "numpy.libs/*openblas*.so*"), ("--simsimd", "simsimd*.so")):
        found = sorted(pathlib.Path(where).glob(pattern))
        if found:
            options += [option, str(found[0])]
        else:
            say(f"no {pattern}: running without it")
    return options


def describe_machine():
    model = platform.processor()
    try:
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    say(f"{platform.system()} {platform.machine()}, {model}, {os.cpu_count()} CPUs, "
        f"load {os.getloadavg()[0]:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0],
                                     epilog="Other options go to kernel_bench.")
    parser.add_argument("--build", default="build", help="build directory (default: build)")
    parser.add_argument("--cache", type=pathlib.Path, default=cache_directory(),
                        help="where to keep the environment of the peers")
    parser.add_argument("--no-peers", action="store_true", help="measure nanovec alone")
    args, rest = parser.parse_known_args()

    subprocess.run(["make", "--silent", "-C", str(HERE), f"BUILD={args.build}"], check=True)
    build = HERE / args.build
    describe_machine()
    python = None if args.no_peers else environment_python(args.cache)
    if python is None:
        sys.exit(subprocess.run([str(build / "kernel_bench"), *rest]).returncode)

    command = [str(python), "-c", RUN_SHARED, str(build / "kernel_bench.so")]
    peers = shared_objects(python)
    status = subprocess.run(command + peers + rest).returncode
    if "--blas" in peers and platform.machine() == "x86_64":
        # numpy's BLAS chooses its kernels once, by this variable: now those of AVX2
        blas = peers[peers.index("--blas"):][:2]
        environment = dict(os.environ, OPENBLAS_CORETYPE="Haswell")
        again = subprocess.run(command + blas + ["--peers-only", "yes"] + rest, env=environment)
        status = status or again.returncode
    sys.exit(status)


if __name__ == "__main__":
    main()
