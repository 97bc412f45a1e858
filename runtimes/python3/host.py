"""The python3 host: `host.py [--environment=FOLDER] INPUT OUTPUT`. HELLO goes out before the rest is imported."""

import gc
import sys
from types import ModuleType

_FOLDER = __file__.rpartition("/")[0] or "."
_PACKAGE = "_flow_host"  # no name that user code could mean
GARBAGE_OBJECTS = 20_000  # Python's 700 are fewer than one batch has: the collector would walk each, in vain


def be_a_package() -> None:
    """So that the files beside this one can be imported."""
    if sys.path and sys.path[0] == _FOLDER:
        del sys.path[0]  # this folder must not hide a user's `codec` or `link`
    package = ModuleType(_PACKAGE)
    package.__path__ = [_FOLDER]
    sys.modules[_PACKAGE] = package


def main() -> None:
    """Open the pipes, say HELLO, serve."""
    gc.set_threshold(GARBAGE_OBJECTS)  # at once: the imports below make much, and hardly any garbage
    be_a_package()
    import _signal  # type: ignore[import-not-found]
    import os

    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)  # Ctrl-C is the runner's, which gets it too
    from _flow_host import link as link_module  # type: ignore[import-not-found]

    link = link_module.Link(*sys.argv[-2:])
    version = ".".join(map(str, sys.version_info[:3]))
    hello = f'{{"protocol":1,"runtime":"python3","version":"{version}","pid":{os.getpid()}}}'
    link.write(link_module.frame(link_module.HELLO, body=hello.encode()))
    try:  # noqa: SIM105  contextlib would be one more import before the first message
        bytes(30 << 20)  # glibc then keeps freed blocks below this size; bytes, not bytearray: calloc touches no page
    except MemoryError:
        pass  # a host with little memory does without
    if sys.argv[1].startswith("--environment="):
        from _flow_host import environment

        environment.enter(sys.argv[1].partition("=")[2])
    if extra := os.environ.get("RUNNER_HOST_PACKAGES"):
        sys.path.append(extra)  # last: a user's environment comes first
    from _flow_host import children, engine, flow, lifecycle, prints

    sys.modules["flow"] = flow
    heart = engine.Engine(link)
    stderr = sys.stderr
    out = prints.Stream(link.log, heart.running_slot, "info", "<stdout>", 1)
    err = prints.Stream(link.log, heart.running_slot, "error", "<stderr>", 2)
    sys.stdout, sys.stderr = out, err
    host = lifecycle.Lifecycle(heart, [out, err])
    children.guard_forks(link, [out, err])
    children.watch()
    gc.freeze()  # what is here stays
    try:
        host.run()
    except BaseException:
        import traceback

        traceback.print_exc(file=stderr)
        stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__":  # a child of a module's multiprocessing
    be_a_package()
    from _flow_host import children

    children.serve()
