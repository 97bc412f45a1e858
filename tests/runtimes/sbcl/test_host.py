"""What conformance does not say of the sbcl host: places of errors, Lisp's own values, doubles, dependencies."""

# ruff: noqa: E501  (the texts of modules)

from __future__ import annotations

import json
import math
import random
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from runtimes.conformance import Subject
from runtimes.manifest import RUNTIMES_FOLDER, load_runtimes
from tests.harness import need, running
from tests.runtimes.text_host import TextHost, text_host

RUNTIME = load_runtimes([RUNTIMES_FOLDER])["sbcl"]


@pytest.fixture
def host() -> Iterator[TextHost]:
    with text_host("sbcl", "m.lisp") as started:
        yield started


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
def test_a_load_error_names_the_users_place(host: TextHost, code: str, at: tuple[int, int], says: str) -> None:
    error = host.refused(code)
    assert says in error["message"]
    assert place(error) == ("m.lisp", *at)
    assert not host.logs


def test_a_runtime_error_names_the_innermost_place_of_the_module(host: TextHost) -> None:
    slot = host.module("(defun f (x)\n  (list (car x)))\n\n(lambda (m c)\n  (declare (ignore c))\n  (list (f m)))")
    slot.run([3])
    error = slot.errors[0].info["error"]
    assert place(error) == ("m.lisp", 2, 9)
    assert error["stack"].splitlines() == ["at F (m.lisp:2)", "at (LAMBDA (M C)) (m.lisp:6)"]
    assert error["type"] == "TYPE-ERROR"


def test_an_error_in_a_sibling_names_the_sibling(host: TextHost) -> None:
    files = {"helper.lisp": "\n(defun f (x)\n  (list (car x)))"}
    slot = host.module('(load-file "helper.lisp")\n(lambda (m c) (f m))', files=files)
    slot.run([3])
    assert place(slot.errors[0].info["error"]) == ("helper.lisp", 3, 9)


def test_warnings_are_logged_and_the_module_is_loaded(host: TextHost) -> None:
    slot = host.module(
        "(defun run (m c)\n  (if m (list m)\n    (undefined-thing c)))\n(defun unused (x) (list nothing))"
    )
    assert slot.run([1]) == [[1]]
    texts = sorted(body["text"] for number, body in host.logs if number == slot.number)
    assert texts == ["m.lisp:3: undefined function: UNDEFINED-THING", "m.lisp:4: undefined variable: NOTHING"]


def test_endless_recursion_is_an_error(host: TextHost) -> None:
    slot = host.module("(defun f (x) (1+ (f (1+ x))))\n(lambda (m c) (if (equal m 1) (f m) m))")
    assert slot.run([1, 2, 1, 3]) == [2, 3]
    assert [error.type for error in slot.errors] == ["CONTROL-STACK-EXHAUSTED"] * 2


def test_prints_are_lines_and_keep_their_slot(host: TextHost) -> None:
    slot = host.module('(lambda (m c) (princ "a") (princ "b") (terpri) (format *error-output* "c~%d") m)', slot=7)
    slot.run([1])
    assert [(number, body["level"], body["text"]) for number, body in host.logs] == [
        (7, "info", "ab"),
        (7, "error", "c"),
        (7, "error", "d"),
    ]


def test_versions_of_a_module_are_apart(host: TextHost) -> None:
    text = "(defparameter *x* {0})\n(defstruct point {1})\n(defun value () *x*)\n(defun run (m c) (list (value) m))"
    one = host.module(text.format(1, "a"))
    two = host.module(text.format(2, "a b"))
    assert [one.run([0]), two.run([0]), one.run([0])] == [[[1, 0]], [[2, 0]], [[1, 0]]]
    host.unload(one)
    assert two.run([5]) == [[2, 5]]


def test_top_level_forms_see_the_macros_before_them(host: TextHost) -> None:
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
def test_lisp_values_are_json_values(host: TextHost, form: str, sent: Any) -> None:
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
def test_what_json_has_no_form_for_is_refused(host: TextHost, form: str, fused: bool) -> None:
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


def test_doubles_are_exact_and_short(host: TextHost) -> None:
    seed = random.randrange(10**6)
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


def test_decimals_of_any_length_are_read_exactly(host: TextHost) -> None:
    seed = random.randrange(10**6)
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
def test_brackets_of_a_message_are_not_the_bodys(host: TextHost, bad: bytes, at: int, with_headers: bool) -> None:
    """Together with the brackets around it a broken message can look whole."""
    slot = host.module('(lambda (m c) (list m (gethash "x-n" (context-headers c) 0)))')
    texts, headers = [b"1", b"2", b"3"], [{"x-n": "1"}, {"x-n": "2"}, {"x-n": "3"}]
    texts[at] = bad
    slot.texts(texts, headers=headers if with_headers else None)
    slot.done()
    good = [n for n in (1, 2, 3) if n != at + 1]
    assert slot.out() == [[n, str(n) if with_headers else 0] for n in good]
    assert [(error.type, error.number) for error in slot.errors] == [("DataError", at + 1)]


def test_a_stopped_source_is_closed(host: TextHost) -> None:
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


def test_a_context_that_is_over_cannot_send_in_another_turn(host: TextHost) -> None:
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


def test_there_is_no_debugger(host: TextHost) -> None:
    """(break) is an error of the message; an error in a module's own thread is logged and ends that thread alone."""
    slot = host.module(
        "(lambda (m c)\n"
        "  (when (equal m 1) (break))\n"
        '  (flet ((stray () (error "stray")))\n'
        "    (when (equal m 2) (sb-thread:join-thread (sb-thread:make-thread #'stray) :default nil)))\n"
        "  m)"
    )
    assert slot.run([1, 2, 3]) == [2, 3]
    error = slot.errors[0].info["error"]
    assert (error["type"], error["message"], error["line"]) == ("SIMPLE-CONDITION", "break", 2)
    assert [body for _, body in host.logs] == [{"level": "error", "text": "uncaught in a module's thread: stray"}]


# ---------------------------------------------------------------- files


def test_siblings_and_data_files_are_beside_the_module(host: TextHost) -> None:
    files = {
        "lib/helper.lisp": "(defparameter *where* (file-namestring *load-truename*))\n(defun help () (list *where* (data)))",
        "words.txt": "é1",
        "odd [*] name?.txt": "x",
    }
    code = (
        '(defparameter *data* (merge-pathnames "words.txt" *load-truename*))\n'
        "(defun data () (with-open-file (in *data*) (read-line in)))\n"
        "{}\n"
        "(defun run (m c) (declare (ignore m c)) (list (help) (namestring (make-pathname :defaults *data* :name nil :type nil))))"
    )
    ways = ['(load-file "lib/helper.lisp")', '(load (merge-pathnames "lib/helper.lisp" #.*load-truename*))']
    slots = [host.module(code.format(way), files=files) for way in ways]
    seen = [slot.run([0])[0] for slot in slots]
    assert [one for one, _ in seen] == [["helper.lisp", "é1"]] * 2
    there = host.module("(lambda (m c) (declare (ignore c)) (and (probe-file m) t))")
    folder = seen[0][1]
    assert there.run([folder]) == [True]
    host.unload(slots[0])
    assert there.run([folder, seen[1][1]]) == [True]  # the other one's; NIL is no value
    assert "not beside the module" in host.refused("(lambda (m c) m)", files={"../../x.lisp": ""})["message"]


def test_a_module_that_sets_the_readers_base_harms_no_other(host: TextHost) -> None:
    host.module("(setf *read-base* 2 *print-base* 16)\n(lambda (m c) (setf *read-base* 2 *print-base* 16) m)").run([1])
    slot = host.module('(lambda (m c) (context-set c "n" 255) (list 12 (context-message-id c)))')
    slot.data([0], first=31)
    assert slot.done().out() == [[12, f"{slot.wire_name}#31"]]


# ---------------------------------------------------------------- values


def test_keys_that_are_one_text_are_refused(host: TextHost) -> None:
    table = (
        '(let ((h (make-hash-table :test \'{0}))) (setf (gethash (copy-seq "a") h) 1 (gethash (copy-seq "a") h) 2) h)'
    )
    for test in ("eq", "eql"):
        assert "the same text" in host.failure(f"(lambda (m c) (list {table.format(test)}))")["message"]
    assert host.module(f"(lambda (m c) {table.format('equal')})").run([1]) == [{"a": 2}]


def test_changing_a_key_changes_nobody_elses(host: TextHost) -> None:
    kept = host.module(
        '(defvar *kept* nil)\n(lambda (m c) (push m *kept*) (map \'vector (lambda (h) (gethash "name" h "gone")) *kept*))'
    )
    kept.run([{"name": 1}])
    spoils = host.module("(lambda (m c) (maphash (lambda (k v) (nstring-upcase k)) m) :null)")
    spoils.run([{"name": 2}, {"name": 3}])
    assert kept.run([{"name": 4}]) == [[4, 1]]


def test_a_failed_fused_message_is_kept_as_it_was_sent(host: TextHost) -> None:
    front = host.module("(lambda (m c) m)")
    back = host.module('(lambda (m c) (setf (gethash "a" m) 2) (error "no"))')
    front.wire(fused={"out": [(back, "in", "w")]})
    front.data([{"a": 1}])
    front.done()
    assert [error.message for error in back.errors] == [b'{"a":1}']


def test_a_turn_that_is_too_large_and_does_not_mind_fails(host: TextHost) -> None:
    code = '(lambda (m c) (ignore-errors (context-send c "out" (make-string m :initial-element #\\x))) m)'
    slot, target = host.module(code, max_turn_bytes=1000), host.module("(lambda (m c) m)")
    slot.wire(fused={"out": [(target, "in", "w")]})
    slot.data([10, 2000, 20])
    slot.done()
    assert target.out() == ["x" * 10, 10, "x" * 20, 20]
    assert [error.type for error in slot.errors] == ["TurnTooLarge"]


def test_a_value_is_checked_where_nobody_takes_it(host: TextHost) -> None:
    slot = host.module("(lambda (m c) (if (equal m 1) 'symbol m))")
    slot.wire([])
    slot.data([1, 2])
    slot.done()
    assert [error.type for error in slot.errors] == ["DataError"]
    assert slot.errors[0].info["error"]["file"] == "m.lisp"
    slot.counts(consumed=2, failed=1, unwired=1)


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("form", "hint"),
    [
        ("(require :no-such-system)", "`dependencies:`"),
        ('(find-symbol "QUICKLOAD" "QL")', "`dependencies:`"),
        ('(load-file "helper.lisp")', "`files:`"),
        ('(open "table.json")', "`files:`"),
        ('(with-open-file (out "/sys/x" :direction :output) out)', "`limits.writable`"),
    ],
)
def test_hints(host: TextHost, form: str, hint: str) -> None:
    assert hint in host.refused(f"{form}\n(lambda (m c) m)")["message"]
    assert hint in host.failure(f"(lambda (m c)\n  {form})")["message"]


def test_an_unknown_package_is_a_hint(host: TextHost) -> None:
    assert "`dependencies:`" in host.refused("(lambda (m c) (cl-ppcre:scan m))")["message"]


def test_what_is_no_error_and_not_handled_is_one(host: TextHost) -> None:
    code = (
        '(define-condition alarm (condition) ((n :initarg :n)) (:report (lambda (c s) (format s "alarm ~d" (slot-value c \'n)))))\n'
        "(lambda (m c)\n  (if (equal m 1)\n    (error 'alarm :n m)\n    m))"
    )
    error = host.failure(code)
    assert (error["type"], error["message"], place(error)) == ("ALARM", "alarm 1", ("m.lisp", 4, 5))


def test_exit_ends_the_call_alone(host: TextHost) -> None:
    slot = host.module("(lambda (m c)\n  (when (equal m 1) (sb-ext:exit :code 3))\n  m)")
    assert slot.run([1, 2, 1]) == [2]
    assert [error.info["error"]["message"] for error in slot.errors] == ["(exit :code 3)"] * 2
    assert "(exit :code 4)" in host.refused("(sb-ext:exit :code 4)")["message"]
    assert host.stop() == 0


# ---------------------------------------------------------------- processes and prints


def test_a_forked_child_prints_fails_and_ends_by_itself(host: TextHost) -> None:
    code = (
        "(eval-when (:compile-toplevel :load-toplevel :execute) (require :sb-posix))\n"
        "(lambda (m c)\n  (let ((child (sb-posix:fork)))\n"
        "    (unless (zerop child) (return-from run (list m (sb-posix:wexitstatus (nth-value 1 (sb-posix:waitpid child 0))))))\n"
        '    (format t "inside~%")\n    (context-log c "info" "logged")\n    (context-send c "out" "never")\n'
        '    (case m (1 (sb-ext:exit :code 3 :abort t)) (2 (error "alone")))\n    "came back"))'
    ).replace("(lambda (m c)", "(defun run (m c)")
    slot = host.module(code)
    assert slot.run([1, 2, 3]) == [[1, 3], [2, 1], [3, 0]]
    assert not slot.errors and not host.logs
    printed = host.link.printed()
    assert [printed.count(text) for text in ("inside\n", "logged\n")] == [3, 3]
    assert "failed: alone" in printed and "has come back" in printed


def test_a_time_out_leaves_frames_whole(host: TextHost) -> None:
    code = (
        "(lambda (m c)\n  (handler-case (sb-ext:with-timeout 0.01 (loop (write-line (make-string 100000 :initial-element #\\y))))\n"
        "    (sb-ext:timeout () m)))"
    )
    assert host.module(code).run([1, 2, 3]) == [1, 2, 3]


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


def test_garbage_does_not_make_the_host_grow(host: TextHost) -> None:
    def resident_mb() -> int:
        return psutil.Process(host.link.pid).memory_info().rss >> 20

    slot = host.module("(lambda (m c) (length (make-list 65536)))")  # a megabyte
    slot.run([1])
    before = resident_mb()
    assert slot.run([1] * 60) == [65536] * 60
    assert resident_mb() < before + 30


def test_what_is_kept_makes_collections_rarer(host: TextHost) -> None:
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
        host = TextHost(Subject("sbcl", command), "m.lisp")
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
