"""What conformance does not say of the ruby host: Ruby's own values, files beside a module, errors, forks, prints."""
# ruff: noqa: E501  (the texts of modules)

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.runtimes.text_host import TextHost, text_host


@pytest.fixture
def host() -> Iterator[TextHost]:
    with text_host("ruby", "m.rb") as started:
        yield started


# values


@pytest.mark.parametrize(
    ("expression", "sent"),
    [
        ('{"a" => 1, b: 2}', {"a": 1, "b": 2}),
        ('"é".encode("ISO-8859-1")', "é"),
        ('{"é".encode("UTF-16LE") => "é".encode("UTF-16BE")}', {"é": "é"}),
        ('{"ascii".b => 1, "c" => 2}', {"ascii": 1, "c": 2}),
        ('"bytes".b', {"$bytes": "Ynl0ZXM="}),
        ('Class.new(String) { def to_json(*) = "no"; def to_s = "no" }.new("own")', "own"),
        ('Class.new(Hash) { def to_json(*) = "no" }["a", 1]', {"a": 1}),
        ('Class.new(Array) { def to_json(*) = "no" }.new([1])', [1]),
        ('{Class.new(String) { def to_s = "no" }.new("k") => 1, "l" => 2}', {"k": 1, "l": 2}),
        ("[1.to_s, 2.5.to_s]", ["1", "2.5"]),
        ("Hash.new { |hash, key| hash[key] = 1 }.tap { |h| h[:x]; h[:y] }", {"x": 1, "y": 1}),
        ("[nil, Flow::NULL, true, -0.0]", [None, None, True, 0]),
    ],
)
@pytest.mark.parametrize("is_fused", [False, True])
def test_ruby_values_are_json_values(host: TextHost, expression: str, sent: Any, is_fused: bool) -> None:
    slot = host.module(f"def run(m, c) = {expression}")
    target = host.module("def run(m, c) = m")
    if is_fused:
        slot.wire(fused={"out": [(target, "in", "w")]})
    slot.data([1])
    assert slot.done() and (target if is_fused else slot).out() == [sent]
    assert not host.errors


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ('{"a" => 1, a: 2}', 'two of its keys are the same text: "a" and :a'),
        ('[[{"a" => 1, a: 2, b: 3}]]', "two of its keys"),
        ('{"é" => 1, "é".encode("ISO-8859-1") => 2}', "two of its keys"),
        ('{}.compare_by_identity.tap { |h| h["a".dup] = 1; h["a".dup] = 2 }', "two of its keys"),
        ('{"\\xff".b => 1, "b" => 2}', "UTF-8"),
        ('{1 => "a"}', "a key is a text, not 1"),
        ('"\\xff"', "a text is not UTF-8"),
        ('"abc".force_encoding("UTF-7")', "UTF-7"),
        ("Time.now", "value.iso8601"),
        ("[Date.today]", "value.iso8601"),
        ('{"d" => DateTime.now}', "value.iso8601"),
        ("Set[1]", "value.to_a"),
        ('BigDecimal("1.1")', "BigDecimal is not JSON"),
        (":a", "value.to_s"),
        ("1r", "Rational is not JSON"),
        ("1..2", "Range is not JSON"),
        ("BasicObject.new", "BasicObject is not JSON"),
        ("[].tap { |list| list << list }", "contains itself"),
        ("(1..121).inject(1) { |inner, _| [inner] }", "nested deeper than 120"),
        ("[0.0 / 0]", "NaN"),
    ],
)
@pytest.mark.parametrize("wire", ["channel", "fused", "none"])
def test_what_json_has_no_form_for_is_refused(host: TextHost, expression: str, says: str, wire: str) -> None:
    requires = "require 'date'\nrequire 'set'\nrequire 'bigdecimal'\n"
    slot = host.module(f"{requires}def run(m, c)\n  c.send('out', 'gone with the turn')\n  {expression}\nend")
    target = host.module("def run(m, c) = m")
    slot.wire([] if wire == "none" else ["out"], {"out": [(target, "in", "w")]} if wire == "fused" else None)
    slot.data([1, 2])
    slot.done()
    assert [error.type for error in slot.errors] == ["DataError"] * 2
    error = slot.errors[0].info["error"]
    assert says in error["message"]
    assert (error["file"], error["line"]) == ("m.rb", 4)  # where the function is
    assert not slot.out() and not target.out()
    assert host.module("def run(m, c) = m").run([[1]]) == [[1]]


def test_headers_are_taken_when_they_are_sent(host: TextHost) -> None:
    slot = host.module(
        "def run(m, c)\n  text = +'v'\n  headers = {'x-a': text}\n  c.send(:out, m, headers)\n"
        "  text << '\\xff'\n  headers['y'] = 1\n  nil\nend"
    )
    slot.data([1])
    slot.done()
    assert [(message.value, message.headers) for message in slot.sent["out"]] == [(1, {"x-a": "v"})]


def test_a_refused_context_value_takes_no_room(host: TextHost) -> None:
    code = "def run(m, c)\n  70.times { c.set('k', 'x' * (2 << 20)) rescue 1 }\n  c.set('k', m)\n  nil\nend"
    slot = host.module(code)
    slot.run([7])
    assert slot.context_value("k") == 7


def test_a_failed_fused_message_is_kept_as_it_was_sent(host: TextHost) -> None:
    front = host.module("def run(m, c) = m")
    back = host.module("def run(m, c)\n  m['list'] << 'changed'\n  m.delete('a')\n  raise 'no'\nend")
    front.wire(fused={"out": [(back, "in", "w")]})
    front.data([{"list": [1], "a": None}])
    front.done()
    assert [error.message for error in back.errors] == [b'{"list":[1],"a":null}']


def test_a_fused_message_is_redelivered_as_its_root_was(host: TextHost) -> None:
    front = host.module("def run(m, c) = m")
    back = host.module("def run(m, c) = c.redelivered")
    front.wire(fused={"out": [(back, "in", "w")]})
    front.redeliver([1], first=1)
    front.done()
    assert back.out() == [True]


# files


def test_files_are_required_beside_the_module(host: TextHost) -> None:
    files = {
        "helper.rb": "require_relative 'lib/deep'\nTIMES = (defined?(TIMES) ? TIMES : 0) + 1\ndef help = Deep.a + data",
        "lib/deep.rb": "class Deep\n  A = 'deep'\n  def self.a = A\nend\ndef data = File.read(__dir__ + '/d.txt')",
        "lib/d.txt": "data",
    }
    run = "require_relative 'helper'\n  [help, TIMES, File.basename(__FILE__), Deep.instance_of?(Class)]"
    code = f"{{0}}\ndef run(m, c)\n  {run}\nend"
    ways = [
        "require_relative 'helper'",
        "require_relative './helper.rb'",
        "require File.join(__dir__, 'helper')",
        "require File.expand_path('helper', File.dirname(__FILE__))",
        "$LOAD_PATH.unshift(__dir__)\nrequire 'helper'",
        "load File.join(__dir__, 'helper.rb')\nrequire 'set'",
    ]
    for way in ways:
        slot = host.module(code.format(way), files=files)
        times = 2 if way.startswith("load") else 1  # `load` is no `require`
        assert slot.run([0]) == [["deepdata", times, "m.rb", True]], way
    with_others = host.module("def run(m, c) = [defined?(Deep), defined?(TIMES), respond_to?(:help, true)]")
    assert with_others.run([0]) == [[None, None, False]]


def test_files_may_require_each_other_and_classes_have_names(host: TextHost) -> None:
    files = {"a.rb": "require_relative 'b'\nA = 1\n", "b.rb": "require_relative 'a'\nrequire_relative 'm'\nB = 2\n"}
    code = (
        "require_relative 'a'\nPoint = Struct.new(:x)\ninclude Comparable\nusing(Module.new { refine(Integer) { def twice = 2 * self } })\n"
        "def run(m, c)\n  return m.nothing if m == 1\n  [A, B, Marshal.load(Marshal.dump(Point.new(m))).x, 4.twice, is_a?(Comparable)]\nend"
    )
    one, two = host.module(code, files=files), host.module(code.replace("nothing", "Point.new(2).zz"), files=files)
    assert one.run([7]) == two.run([7]) == [[1, 2, 7, 8, True]]
    host.unload(one)
    assert two.run([8, 1]) == [[1, 2, 8, 8, True]]
    assert "Flow::" not in str(two.errors[0].info)


def test_a_top_level_shares_its_variables_and_methods_with_the_handlers(host: TextHost) -> None:
    code = (
        "# frozen_string_literal: true\nprivate\n\ndef count = @count += 1\ndef find(x) = 'found'\ndef name = 'own name'\n"
        "@count = 0\ncount\nTABLE = [find(1), name]\ndef run(m, c) = [count, TABLE, 'x'.frozen?, self.class == Module]\n"
    )
    slots = [host.module(code) for _ in range(2)]
    assert [slot.run([0, 0])[1] for slot in slots] == [[3, ["found", "own name"], True, True]] * 2
    host.unload(slots[0])


def test_the_files_of_an_unloaded_module_are_gone(host: TextHost) -> None:
    code = "def run(m, c) = [__dir__, Dir.exist?(m.to_s)]"
    old, new = host.module(code, files={"a/b.txt": "x"}), host.module(code)
    [[folder, is_there]] = old.run([""])
    assert not is_there
    host.unload(old)
    assert new.run([folder])[0][1] is False


def test_a_file_of_another_folder_is_not_written(host: TextHost) -> None:
    assert "not beside the module" in host.refused("def run(m, c) = m", files={"../../x.rb": ""})["message"]


# errors


def test_an_error_has_the_users_frames_alone(host: TextHost) -> None:
    code = "class Shape\n  def area(x) = Integer(x)\nend\n\ndef run(m, c)\n  [1].each { Shape.new.area(m) }\nend\n"
    error = host.failure(code, "four")
    assert (error["type"], error["file"], error["line"]) == ("ArgumentError", "m.rb", 2)
    own = [frame for frame in error["stack"].splitlines() if frame.startswith("m.rb")]
    assert [int(frame.split(":")[1]) for frame in own] == [2, 2, 6, 6, 6]
    assert "host.rb" not in error["stack"] and "context.rb" not in error["stack"]


def test_a_refused_send_is_an_error_of_the_users_line(host: TextHost) -> None:
    error = host.failure("def run(m, c)\n  c.set('k', 1)\n  c.send('out', Time.now)\nend\n")
    assert (error["type"], error["file"], error["line"]) == ("DataError", "m.rb", 3)


def test_errors_of_siblings_and_of_their_syntax(host: TextHost) -> None:
    sibling = {"lib/helper.rb": "def help(x)\n  x.nothing\nend\n"}
    error = host.failure("require_relative 'lib/helper'\ndef run(m, c) = help(m)\n", files=sibling)
    assert (error["type"], error["file"], error["line"]) == ("NoMethodError", "lib/helper.rb", 2)
    error = host.refused("require_relative 'helper'\ndef run(m, c) = m\n", files={"helper.rb": "\ndef (\n"})
    assert (error["type"], error["file"], error["line"]) == ("SyntaxError", "helper.rb", 2)
    assert "/tmp" not in error["message"] + error["stack"]


@pytest.mark.parametrize(
    ("raises", "kind", "text"),
    [
        ("raise Class.new(StandardError), 'nameless'", "Error", "nameless"),
        ("raise Class.new(StandardError) { def message = raise('worse') }", "Error", "cannot be shown"),
        ("raise 'caf\\xe9'", "RuntimeError", "caf"),
        ("raise 'é'.encode('UTF-16LE').force_encoding('BINARY')", "RuntimeError", "é"[:0]),
        ("throw :ball", "UncaughtThrowError", "uncaught throw :ball"),
        ("exit", "SystemExit", "exit"),
        ("deep", "SystemStackError", "stack level too deep"),
        ("raise 'x' * 1_000_000", "RuntimeError", "xxx"),
    ],
)
def test_whatever_is_raised_is_an_error_of_the_message(host: TextHost, raises: str, kind: str, text: str) -> None:
    slot = host.module(f"def deep = deep\ndef run(m, c)\n  return m if m == 2\n  {raises}\nend\n")
    assert slot.run([1, 2]) == [2]
    error = slot.errors[0].info["error"]
    assert error["type"] == kind and text in error["message"] and len(error["message"]) < 70_000


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("require 'nokogiri'", "no `dependencies:` for ruby"),
        ("require_relative 'helper'", "`files:`"),
        ("require './helper'", "`files:`"),
        ("File.read('table.json')", "`files:`"),
        ("File.write('/sys/x', 'x')", "`limits.writable`"),
    ],
)
def test_hints(host: TextHost, code: str, hint: str) -> None:
    assert hint in host.refused(f"{code}\ndef run(m, c) = m\n")["message"]
    assert hint in host.failure(f"def run(m, c)\n  {code}\nend\n")["message"]


# processes, threads, prints


def test_a_forked_child_prints_raises_and_exits_by_itself(host: TextHost) -> None:
    code = (
        "def run(m, c)\n  pid = fork\n  return [m, Process.wait2(pid)[1].exitstatus] if pid\n"
        "  puts 'child'\n  $stderr.puts 'err'\n  c.log('info', 'logged')\n"
        "  case m\n  when 1 then exit 3\n  when 2 then raise 'alone'\n  when 3 then exit! 4\n  end\n"
        "  'came back'\nend\n"
    )
    slot = host.module(code)
    assert slot.run([1, 2, 3, 4]) == [[1, 3], [2, 1], [3, 4], [4, 0]]
    assert not slot.errors and not host.logs
    printed = host.link.printed()
    assert printed.count("child\n") == 4 and printed.count("logged") == 4
    assert "alone" in printed and "a forked child has come back from m0" in printed


def test_children_of_every_kind(host: TextHost) -> None:
    code = (
        "def run(m, c)\n  pid = fork { c.send('out', 'from the child') }\n  Process.wait(pid)\n"
        "  io = IO.popen('-')\n  if io.nil?\n    print 'piped'\n    exit!\n  end\n"
        "  system('echo spawned', out: $stdout)\n  [io.read, `echo back`]\nend\n"
    )
    assert host.module(code).run([1, 2]) == [["piped", "back\n"]] * 2
    assert host.link.printed().count("spawned") == 2


def test_a_thread_that_prints_without_end_leaves_frames_whole(host: TextHost) -> None:
    code = (
        "require 'timeout'\nThread.new { 2000.times { $stdout.puts 'x' * 500 } }\n"
        "def run(m, c)\n  Timeout.timeout(0.01) { loop { puts 'y' * 100_000 } }\nrescue Timeout::Error\n  m\nend\n"
    )
    assert host.module(code).run(list(range(5))) == list(range(5))


def test_prints_are_lines(host: TextHost) -> None:
    code = (
        "require 'pp'\ndef run(m, c)\n  print 'a', 'b'\n  print \"c\\nd\"\n  warn 'e'\n"
        "  pp({a: [1] * 3})\n  $stdout.write('f', 1)\n  m\nend\n"
    )
    slot = host.module(code, slot=3)
    slot.run([1])
    assert [(number, body["level"], body["text"]) for number, body in host.logs] == [
        (3, "info", "abc"),
        (3, "error", "e"),
        (3, "info", "d{:a=>[1, 1, 1]}"),
        (3, "info", "f1"),
    ]


def test_prints_of_a_signal_handler_go_to_the_processs_own_output(host: TextHost) -> None:
    code = "trap('USR1') { puts 'trapped' }\ndef run(m, c)\n  Process.kill('USR1', $$)\n  sleep 0.01\n  m\nend\n"
    assert host.module(code).run([1]) == [1]
    assert "trapped" in host.link.printed() + "".join(host.said())
