"""`python -I -S without.py MEASURE,... COMMAND...`: becomes a command for which the kernel lacks these measures.

`namespaces`: none can be made, as in most containers; `landlock`: the kernel has none; `seccomp`: nor that.
"""

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from runtimes.confinement import seccomp
from runtimes.confinement.kernel import Memory, machine, prctl, syscall

_CALLS = {"namespaces": [((272, 97), 1)], "landlock": [((444, 444), 38)], "seccomp": [((317, 277), 22)]}


def lack(measures: list[str]) -> None:
    """A filter that refuses the calls of these measures with the error of a kernel that lacks them."""
    _, number, column = seccomp._MACHINES[machine()]
    program = [(0x20, 0, 0, 0)]
    for measure in measures:
        for numbers, error in _CALLS[measure]:
            program += [(0x15, 0, 1, numbers[column]), (0x06, 0, 0, 0x50000 | error)]
    program.append((0x06, 0, 0, 0x7FFF0000))
    code = Memory(b"".join(map(seccomp._packed, program)))
    prctl(38, 1)
    syscall("seccomp", number, 1, 0, len(program).to_bytes(8, "little") + code.address.to_bytes(8, "little"))


lack(sys.argv[1].split(","))
os.execvp(sys.argv[2], sys.argv[2:])
