"""What conformance does not say of the sbcl host: places of errors, Lisp's own values, doubles, dependencies."""

from __future__ import annotations

import json
import math
import random
import struct
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil
import pytest

from runtimes.conformance import Subject, subject_of
from runtimes.conformance.host import Host
from runtimes.conformance.slot import Slot
from runtimes.manifest import RUNTIMES_FOLDER, load_runtimes
from tests.harness import need, running

RUNTIME = load_runtimes([RUNTIMES_FOLDER])["sbcl"]
pytestmark = pytest.mark.timeout(120)


@lru_cache
def subject() -> Subject:
    need("sbcl")
    return subject_of(RUNTIME, None)


class Lisp(Host):
    """A host whose modules are texts."""

    def __init__(self, chosen: Subject) -> None:
        super().__init__(chosen, lambda name: (name, ""))

    def module(self, code: str, **changes: Any) -> Slot:
        return self.load("m", name="m.lisp", code=code, **changes)

    def refused(self, code: str, **changes: Any) -> dict[str, Any]:
        return self.refuse_load("m", name="m.lisp", code=code, **changes)


@pytest.fixture
def host() -> Iterator[Lisp]:
    started = Lisp(subject())
    yield started
    started.link.close()


def place(error: dict[str, Any]) -> tuple[str, int, int]:
    return error["file"], error["line"], error["column"]


@pytest.mark.parametrize(
    ("code", "at", "says"),
    [
        ("(defun f (x) x)\n(lambda (m c)\n  (f (nowhere:f m)))", (2 + 1, 15), "NOWHERE does not exist"),
        ("(lambda (m c)\n  (f m)))", (2, 9), "unmatched close parenthesis"),
        ('(defun f (x) x)\n\n  (defun g (x) "', (3, 3), "the text ends"),
        ("(defun f (x) x)\n(lambda (m c)\n  (let ((a 1 2)) a))", (3, 9), "malformed"),
        ('(defmacro f (x) (error "no ~a" x))\n(lambda (m c)\n  (f 1))', (3, 3), "no 1"),
        ("(defun f (x)\n  (list (car x)))\n\n(f 3)", (2, 9), "not of type"),
        ("(defun f (x) x)\n\n(defun context-get (x) x)", (3, 1), "Lock on package FLOW"),
        ('(load-file "none.lisp")', (1, 1), "no file none.lisp"),
    ],
)
def test_a_load_error_names_the_users_place(host: Lisp, code: str, at: tuple[int, int], says: str) -> None:
    error = host.refused(code)
    assert says in error["message"]
    assert place(error) == ("m.lisp", *at)
    assert not host.logs


def test_a_runtime_error_names_the_innermost_place_of_the_module(host: Lisp) -> None:
    slot = host.module("(defun f (x)\n  (list (car x)))\n\n(lambda (m c)\n  (declare (ignore c))\n  (list (f m)))")
    slot.run([3])
    error = slot.errors[0].info["error"]
    assert place(error) == ("m.lisp", 2, 9)
    assert error["stack"].splitlines() == ["at F (m.lisp:2)", "at (LAMBDA (M C)) (m.lisp:6)"]
    assert error["type"] == "TYPE-ERROR"


def test_an_error_in_a_sibling_names_the_sibling(host: Lisp) -> None:
    files = {"helper.lisp": "\n(defun f (x)\n  (list (car x)))"}
    slot = host.module('(load-file "helper.lisp")\n(lambda (m c) (f m))', files=files)
    slot.run([3])
    assert place(slot.errors[0].info["error"]) == ("helper.lisp", 3, 9)


def test_warnings_are_logged_and_the_module_is_loaded(host: Lisp) -> None:
    slot = host.module(
        "(defun run (m c)\n  (if m (list m)\n    (undefined-thing c)))\n(defun unused (x) (list nothing))"
    )
    assert slot.run([1]) == [[1]]
    texts = sorted(body["text"] for number, body in host.logs if number == slot.number)
    assert texts == ["m.lisp:3: undefined function: UNDEFINED-THING", "m.lisp:4: undefined variable: NOTHING"]


def test_endless_recursion_is_an_error(host: Lisp) -> None:
    slot = host.module("(defun f (x) (1+ (f (1+ x))))\n(lambda (m c) (if (equal m 1) (f m) m))")
    assert slot.run([1, 2, 1, 3]) == [2, 3]
    assert [error.type for error in slot.errors] == ["CONTROL-STACK-EXHAUSTED"] * 2


def test_prints_are_lines_and_keep_their_slot(host: Lisp) -> None:
    slot = host.module('(lambda (m c) (princ "a") (princ "b") (terpri) (format *error-output* "c~%d") m)', slot=7)
    slot.run([1])
    assert [(number, body["level"], body["text"]) for number, body in host.logs] == [
        (7, "info", "ab"),
        (7, "error", "c"),
        (7, "error", "d"),
    ]


def test_versions_of_a_module_are_apart(host: Lisp) -> None:
    text = "(defparameter *x* {0})\n(defstruct point {1})\n(defun value () *x*)\n(defun run (m c) (list (value) m))"
    one = host.module(text.format(1, "a"))
    two = host.module(text.format(2, "a b"))
    assert [one.run([0]), two.run([0]), one.run([0])] == [[[1, 0]], [[2, 0]], [[1, 0]]]
    host.unload(one)
    assert two.run([5]) == [[2, 5]]


def test_top_level_forms_see_the_macros_before_them(host: Lisp) -> None:
    slot = host.module(
        "(eval-when (:compile-toplevel :load-toplevel :execute) (defun twice (x) (list 'list x x)))\n"
        "(defmacro forms (&body body) `(progn ,@body))\n"
        "(forms (defmacro two (x) (twice x)) (defun run (m c) (declare (ignore c)) (two m)))"
    )
    assert slot.run([1]) == [[1, 1]]


@pytest.mark.parametrize(
    ("form", "sent"),
    [
        ("(list 1 nil t :null)", [1, False, True, None]),
        ("(vector)", []),
        ('(list #() (make-hash-table :test \'equal) "")', [[], {}, ""]),
        ("(make-array 2 :element-type 'double-float :initial-element 0.5d0)", [0.5, 0.5]),
        ("(make-array 2 :fill-pointer 1 :initial-element 7)", [7]),
        ("(list 0.1 1.5f0)", [0.1, 1.5]),  # a module's literals are doubles
        ("(list (make-array 2 :element-type '(unsigned-byte 8)))", [{"$bytes": "AAA="}]),
        ('(coerce "base" \'base-string)', "base"),
        ('(subseq "display" 0 3)', "dis"),
        ("nil", "nothing"),
        ('(context-send c "out" nil)', False),
    ],
)
def test_lisp_values_are_json_values(host: Lisp, form: str, sent: Any) -> None:
    slot = host.module(f"(lambda (m c) {form})")
    assert slot.run([1]) == ([] if sent == "nothing" else [sent])
    assert not slot.errors


@pytest.mark.parametrize(
    "form",
    [
        *("1/3", "(list (list 1/2))", "(expt 2 63)", "#c(1 2)", "'symbol", ":key", "#\\a", "c", "(make-array '(2 2))"),
        *("(cons 1 2)", "(let ((l (list 1))) (setf (cdr l) l))"),
        "(let ((h (make-hash-table))) (setf (gethash 1 h) 2) h)",
    ],
)
@pytest.mark.parametrize("fused", [False, True])
def test_what_json_has_no_form_for_is_refused(host: Lisp, form: str, fused: bool) -> None:
    slot, target = host.module(f"(lambda (m c) (list {form}))"), host.module("(lambda (m c) m)")
    if fused:
        slot.wire(fused={"out": [(target, "in", "w")]})
    slot.data([1])
    slot.done()
    assert [error.type for error in slot.errors] == ["DataError"]
    assert not target.out()


def digits(text: str) -> int:
    """How many there are. Which ones is not compared: several texts as short can be read as the same double."""
    return len(text.lower().split("e")[0].replace(".", "").lstrip("-").strip("0"))


def test_doubles_are_exact_and_short(host: Lisp) -> None:
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    bits = [struct.unpack("<d", chance.randbytes(8))[0] for _ in range(1500)]
    numbers = [x for x in bits if math.isfinite(x)]
    numbers += [chance.uniform(-1000, 1000) for _ in range(500)]
    numbers += [round(chance.uniform(-1000, 1000), chance.randrange(6)) for _ in range(500)]
    slot = host.module('(lambda (m c) (context-set c "text" m) m)')
    texts = []
    for x in numbers:
        slot.data([x])
    slot.done(60)
    assert [struct.pack("<d", x) for x in slot.out()] == [struct.pack("<d", x) for x in numbers], f"seed {seed}"
    for x in numbers[:300]:
        slot.run([x])
        texts.append(slot.context["text"].decode())
    wrong = [
        (x, text)
        for x, text in zip(numbers, texts, strict=False)
        if abs(x) > 1e-307 and digits(text) != digits(repr(x))
    ]
    assert not wrong, f"seed {seed}: {wrong[:5]}"


def test_decimals_of_any_length_are_read_exactly(host: Lisp) -> None:
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    texts = ["9007199254740993" + "0" * 900 + ".5e-900", "0." + "0" * 400 + "1e400", "1" + "0" * 308 + ".0", "4.9e-324"]
    texts += ["2.4703282292062327e-324", "2.4703282292062328e-324", "1.7976931348623158e308", "0e99999999999"]
    for _ in range(600):
        digits = "".join(chance.choice("0123456789") for _ in range(chance.randrange(1, 40)))
        texts.append(f"{chance.randrange(10)}.{digits}e{chance.randrange(-330, 300)}")
    slot = host.module("(lambda (m c) m)")
    slot.texts([text.encode() for text in texts])
    slot.done(30)
    assert not slot.errors, f"seed {seed}"
    assert [struct.pack("<d", x) for x in slot.out()] == [struct.pack("<d", float(t)) for t in texts], f"seed {seed}"


@pytest.mark.parametrize("bad", [b"[1", b"1]", b"{", b'"', b"[1]]"])
@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("with_headers", [False, True])
def test_brackets_of_a_message_are_not_the_bodys(host: Lisp, bad: bytes, at: int, with_headers: bool) -> None:
    """Together with the brackets around it a broken message can look whole."""
    slot = host.module('(lambda (m c) (list m (gethash "x-n" (context-headers c) 0)))')
    texts, headers = [b"1", b"2", b"3"], [{"x-n": "1"}, {"x-n": "2"}, {"x-n": "3"}]
    texts[at] = bad
    slot.texts(texts, headers=headers if with_headers else None)
    slot.done()
    good = [n for n in (1, 2, 3) if n != at + 1]
    assert slot.out() == [[n, str(n) if with_headers else 0] for n in good]
    assert [(error.type, error.number) for error in slot.errors] == [("DataError", at + 1)]


def test_a_stopped_source_is_closed(host: Lisp) -> None:
    slot = host.module(
        "(defvar *closed* nil)\n"
        "(defun start (c) (make-source (lambda () (values 1 t)) :close (lambda () (setf *closed* t))))\n"
        '(defun stop (c) (context-set c "closed" *closed*))'
    )
    slot.call("start", turns=0)
    slot.pull(3)
    host.wait(lambda: len(slot.out()) == 3, "three messages")
    slot.call("stop")
    assert slot.context_value("closed") is True


def test_a_context_that_is_over_cannot_send_in_another_turn(host: Lisp) -> None:
    slot = host.module('(defvar *old* nil)\n(lambda (m c) (if *old* (context-send *old* "out" m) (setf *old* c)) m)')
    assert slot.run([1, 2]) == [1]
    assert [error.type for error in slot.errors] == ["CreditError"]


def test_a_running_flow_takes_a_new_version_and_another_language(tmp_path: Path) -> None:
    """The context goes along, and the new text is loaded into the host that is there."""
    need("sbcl")
    lisp = '(lambda (m c) (list "{}" (context-set c "n" (1+ (context-get c "n" 0)))))'
    python = "def run(m, c):\n    c.set('n', c.get('n') + 1)\n    return ['python', c.get('n')]"
    with running(tmp_path) as runner:
        hosts = []
        for number, (runtime, code) in enumerate(
            [("sbcl", lisp.format("one")), ("sbcl", lisp.format("two")), ("python3", python)]
        ):
            runner.add("f", {"m": {"runtime": runtime, "code": code}})
            if number == 0:
                runner.start("f")
                got = runner.collect("f", "m").got
            runner.send("f/m", 0)
            runner.wait(lambda n=number, got=got: len(got) > n, "the answer")
            hosts.append([runner.bridge("f", key).host.pid for key in runner.record("f").bridges])
    assert got == [["one", 1], ["two", 2], ["python", 3]]
    assert hosts[0] == hosts[1] != hosts[2]


def test_there_is_no_debugger(host: Lisp) -> None:
    """(break) is an error of the message; an error in a module's own thread is logged and ends that thread alone."""
    slot = host.module(
        "(lambda (m c)\n"
        "  (when (equal m 1) (break))\n"
        '  (flet ((stray () (error "stray")))\n'
        "    (when (equal m 2) (sb-thread:join-thread (sb-thread:make-thread #'stray) :default nil)))\n"
        "  m)"
    )
    assert slot.run([1, 2, 3]) == [2, 3]
    assert "no debugger" in slot.errors[0].info["error"]["message"]
    assert [body for _, body in host.logs] == [{"level": "error", "text": "uncaught in a module's thread: stray"}]


# ---------------------------------------------------------------- environments


def prepared(folder: Path, dependencies: list[str]) -> subprocess.CompletedProcess[str]:
    """Run what makes an environment, as docs/decisions/004 says."""
    need("sbcl")
    folder.mkdir()
    command = [word.replace("{folder}", str(RUNTIME.folder)) for word in RUNTIME.environment]
    request = json.dumps({"dependencies": dependencies, "final": str(folder)})
    return subprocess.run(command, cwd=folder, input=request, capture_output=True, text=True, timeout=100, check=False)


def system(folder: Path, version: int) -> Path:
    folder.mkdir()
    (folder / "greet.asd").write_text(f'(defsystem "greet" :version "{version}.0" :components ((:file "greet")))')
    (folder / "greet.lisp").write_text(f"(defpackage :greet (:use :cl) (:export #:f))\n(defun greet:f () {version})")
    return folder


def test_garbage_does_not_make_the_host_grow(host: Lisp) -> None:
    def resident_mb() -> int:
        return psutil.Process(host.link.pid).memory_info().rss >> 20

    slot = host.module("(lambda (m c) (length (make-list 65536)))")  # a megabyte
    slot.run([1])
    before = resident_mb()
    assert slot.run([1] * 60) == [65536] * 60
    assert resident_mb() < before + 30


def test_what_is_kept_makes_collections_rarer(host: Lisp) -> None:
    code = "(defvar *kept* '())\n(lambda (m c) (push (make-list 65536) *kept*) (sb-ext:bytes-consed-between-gcs))"
    distances = host.module(code).run([1] * 100)
    assert distances[0] == 8 << 20
    assert 16 << 20 < distances[-1] <= 2048 * (1 << 20) // 20


def test_two_versions_of_a_system_in_two_environments(tmp_path: Path) -> None:
    answers = []
    for version in (1, 2):
        folder = tmp_path / f"environment{version}"
        done = prepared(folder, [f"greet @ {system(tmp_path / f'greet{version}', version)}"])
        assert done.returncode == 0, done.stderr
        assert "WARNING" not in done.stdout + done.stderr  # of the host's own files
        assert json.loads((folder / "lock.json").read_text()) == {"locked": [f"greet=={version}.0"]}
        assert sorted(path.name for path in folder.iterdir()) == ["host.core", "lock.json"]
        command = RUNTIME.host_command(folder)
        host = Lisp(Subject("sbcl", command))
        try:
            answers += host.module("(lambda (m c) (list m (greet:f)))").run(["hello"])
        finally:
            host.link.close()
    assert answers == [["hello", 1], ["hello", 2]]


@pytest.mark.parametrize(
    ("dependency", "says"),
    [("no-such-system", "no-such-system was not found"), ("asdf==0.1", "asdf==0.1 was asked for")],
)
def test_a_system_that_is_not_there(tmp_path: Path, dependency: str, says: str) -> None:
    done = prepared(tmp_path / "environment", [dependency])
    assert done.returncode == 1
    assert says in done.stderr
