"""The C code of the as-of join under the sanitizers: the kernel on random input, the binding in its tests."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
KERNEL = CHECKOUT / "timeline" / "replay" / "join"
SANITIZERS = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
CASES = 3000
WHICH = "(compiled or binding or threads) and not no_number_of_samples"
"""The tests that run the binding; what the last one would show more, the kernel alone shows in less time."""

RUN_THE_TESTS_OF = """\
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location

import pytest

binding, tests, which = sys.argv[1:]
name = "timeline.replay.join._asof"
module = module_from_spec(spec_from_file_location(name, binding, loader=ExtensionFileLoader(name, binding)))
module.__loader__.exec_module(module)
sys.modules[name] = module

from timeline.replay.join import asof

assert asof._asof.__file__ == binding
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", which, tests]))
"""


def compiler() -> list[str]:
    return shlex.split(os.environ.get("CC", "cc"))


@pytest.fixture(scope="module")
def sanitizing_compiler(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that compiles with sanitizers, where there is one."""
    folder = tmp_path_factory.mktemp("probe")
    (folder / "probe.c").write_text("int main(void) { return 0; }\n")
    try:
        subprocess.run(
            [*compiler(), *SANITIZERS, "probe.c", "-o", "probe"], cwd=folder, check=True, capture_output=True
        )
        subprocess.run([folder / "probe"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip(f"there is no C compiler {compiler()[0]}: apt-get install gcc libc6-dev")
    except subprocess.CalledProcessError:
        pytest.skip(
            f"{compiler()[0]} has no AddressSanitizer and UBSan: apt-get install gcc, or clang with compiler-rt"
        )
    return [*compiler(), *SANITIZERS]


def run(command: list[str], **variables: str) -> str:
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, cwd=CHECKOUT)
    assert done.returncode == 0, f"{shlex.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("variant", [[], ["-DASOF_PLAIN"]], ids=["as compiled here", "without vectors"])
def test_the_kernel_agrees_with_plain_loops_and_stays_within_its_arrays(
    sanitizing_compiler: list[str], tmp_path: Path, variant: list[str]
) -> None:
    program = str(tmp_path / "fuzz")
    source = str(Path(__file__).with_name("fuzz_asof.c"))
    strict = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
    run([*sanitizing_compiler, *strict, *variant, "-I", str(KERNEL), source, "-o", program])
    assert run([program, "1", str(CASES)]) == f"{CASES} cases\n"


def test_the_binding_stays_within_its_arrays(sanitizing_compiler: list[str], tmp_path: Path) -> None:
    pytest.importorskip("numpy", reason="the as-of join needs NumPy: pip install 'resource-timeline[arrow]'")
    headers = sysconfig.get_path("include")
    if not Path(headers, "Python.h").is_file():
        pytest.skip(f"there is no {headers}/Python.h: apt-get install python3-dev")
    runtime = run([*compiler(), "-print-file-name=libasan.so"]).strip()
    if not Path(runtime).is_absolute():
        pytest.skip(f"{compiler()[0]} has no libasan.so that Python could be started with: apt-get install gcc")
    binding = str(tmp_path / "_asof.abi3.so")
    run([*sanitizing_compiler, "-shared", "-fPIC", "-I", headers, str(KERNEL / "_asof.c"), "-o", binding])
    tests = str(Path(__file__).with_name("test_asof.py"))
    said = run(
        [sys.executable, "-c", RUN_THE_TESTS_OF, binding, tests, WHICH],
        LD_PRELOAD=runtime,
        ASAN_OPTIONS="detect_leaks=0",  # of what the interpreter keeps until its end
        PYTHONMALLOC="malloc",  # so that the sanitizer sees each object
        PYTHONPATH=str(CHECKOUT),
    )
    assert " passed" in said
    assert "skipped" not in said
