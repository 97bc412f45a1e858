"""Tools that modules start go on working where they may write: what is refused none of them needs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.harness import Harness

RUN = """
import os, subprocess, sys
def run(words, context):
    os.environ["HOME"] = os.getcwd()
    done = subprocess.run(words, shell=True, executable="/bin/bash", capture_output=True, text=True)
    return [done.returncode, (done.stdout + done.stderr)[-2000:]]
"""
SCRIPTS = {
    "tar": """
mkdir a; echo x >a/f; chmod 750 a; chmod 640 a/f
tar cf t a; rm -r a; tar xpf t; cp -a a b; diff -r a b && stat -c %a a a/f""",
    "git": """
git init -q g; cd g; echo x >f; git add f
git -c user.name=a -c user.email=a@b commit -qm fine; git gc -q; git log --oneline""",
    "pip": """
python=$(python3 -c 'import sys; print(sys.executable)')
cat >wheel.py <<'END'
import zipfile
with zipfile.ZipFile("thing-1-py3-none-any.whl", "w") as wheel:
    wheel.writestr("thing.py", "x = 1")
    wheel.writestr("thing-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: thing\\nVersion: 1\\n")
    wheel.writestr("thing-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("thing-1.dist-info/RECORD", "")
END
$python wheel.py; $python -m pip install -q --no-index --target there thing-1-py3-none-any.whl; ls there""",
    "npm": """
mkdir p q; echo >p/x.js
echo '{"name": "thing", "version": "1.0.0", "bin": "x.js", "scripts": {"install": "touch made"}}' >p/package.json
cd q; npm install --offline --no-audit --no-fund --install-links ../p; ls node_modules/thing node_modules/.bin""",
    "go": """
export GOPROXY=file://$PWD/proxy GOSUMDB=off GOTOOLCHAIN=local GOFLAGS=-mod=mod GOPATH=$PWD/path GOCACHE=$PWD/cache
mkdir -p proxy/thing.test/a/@v main; cd proxy/thing.test/a/@v
echo '{"Version": "v1.0.0"}' >v1.0.0.info; echo module thing.test/a >v1.0.0.mod
python3 -c 'import zipfile
with zipfile.ZipFile("v1.0.0.zip", "w") as file:
    file.writestr("thing.test/a@v1.0.0/go.mod", "module thing.test/a\\n")
    file.writestr("thing.test/a@v1.0.0/a.go", "package a\\n\\nconst Word = \\"built\\"\\n")'
cd ../../../../main; printf 'module main\ngo 1.19\nrequire thing.test/a v1.0.0\n' >go.mod
printf 'package main\nimport "thing.test/a"\nfunc main() { println(a.Word) }\n' >main.go
go build -o it . && ./it 2>&1 && stat -c %a ../path/pkg/mod/thing.test/a@v1.0.0 && go clean -modcache
ls ../path/pkg; rm -r ../cache""",
    "python3": """
cat >pool.py <<'END'
import multiprocessing
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        print(sum(pool.map(abs, range(9))))
END
python3 pool.py""",
    "node": """
cat >w.js <<'END'
const { Worker } = require('worker_threads')
new Worker('1', { eval: true }).on('exit', status => console.log('ended', status))
END
node w.js""",
    "sort": """
seq 99999 | sort -R --parallel=4 -S 1M -T . | sort -n --parallel=2 -S 1M -T . | tail -1
nice -n 5 timeout 5 taskset 1 true""",
}
SAYS = {
    "tar": "750\n640",
    "git": "fine",
    "pip": "thing.py",
    "npm": "made",
    "go": "built\n555",
    "python3": "36",
    "node": "ended 0",
    "sort": "99999",
}


@pytest.mark.parametrize("tool", SCRIPTS)
def test_tools(runner: Harness, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    runner.add("f", {"a": {"runtime": "python3", "code": RUN}})
    out = runner.collect("f", "a")
    runner.start("f")
    runner.send("f/a", SCRIPTS[tool])
    runner.wait(lambda: out.got, timeout_s=100)
    status, text = out.got[0]
    assert status == 0 and SAYS[tool] in text, text


def test_shared_memory_that_is_asked_for(runner: Harness) -> None:
    """By limits.writable: the machine's. A file of it is there for all."""
    folder = "/dev/shm/"
    code = (
        f"import os\ndef run(name, c):\n    open({folder!r} + name, 'w').close()\n    return os.listdir({folder!r})\n"
    )
    runner.add("f", {"own": {"runtime": "python3", "code": code},
                     "all": {"runtime": "python3", "code": code, "limits": {"writable": ["/dev/shm"]}}})  # fmt: skip
    runner.start("f")
    files = {}
    for module in ("own", "all"):
        out = runner.collect("f", module)
        name = f"test-{module}-{id(runner)}"
        runner.send(f"f/{module}", name)
        runner.wait(lambda out=out: out.got)
        assert name in out.got[0]
        files[module] = Path("/dev/shm", name)
    assert files["all"].exists()
    files["all"].unlink()
    assert not files["own"].exists() or files["own"].unlink() is None
