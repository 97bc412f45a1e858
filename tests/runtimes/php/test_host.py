"""What conformance does not say of the php host: any PHP file is a module, apart from every other; errors, forks, prints."""
# ruff: noqa: E501  (the texts of modules)

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.runtimes.text_host import TextHost, text_host


@pytest.fixture
def host() -> Iterator[TextHost]:
    with text_host("php", "m.php") as started:
        yield started


# how files are written

FORMS = {
    "strict": "<?php\ndeclare(strict_types = 1);\nfunction run($m, $c) { return strlen('ab') + $m; }",
    "strict lower": "<?php\n\n// first\n/* of all */ DECLARE ( strict_types=1 ) ;\nfunction run($m, $c) { return 2 + $m; }",
    "ticks": "<?php declare(strict_types=1, ticks=5); function run($m, $c) { return 2 + $m; }",
    "absolute use": "<?php\nuse \\DateTime;\nuse \\DateTimeZone as Zone;\n"
    "function run($m, $c) { return (int) (new DateTime('1970-01-03', new Zone('UTC')))->format('j') - 1 + $m; }",
    "list of uses": "<?php\nuse ArrayObject, SplStack as Stack;\nuse function count, strlen as len;\nuse const PHP_INT_SIZE;\n"
    "function run($m, $c) { return len('a') + count(new ArrayObject([new Stack])) + $m; }",
    "any case": "<?php\nfunction run($m, $c) {\n  try { new datetime('no'); } catch (exception $e) { return 2 + $m; }\n}",
    "catches": "<?php\nfunction run($m, $c) {\n  try { intdiv(1, 0); } catch (TypeError | DIVISIONBYZEROERROR) { return 2 + $m; }\n}",
    "no tag": "function run($m, $c) { return 2 + $m; }",
    "shebang": "#!/usr/bin/env php\n<?php\nfunction run($m, $c) { return 2 + $m; }",
    "byte order mark": "\ufeff<?php\nfunction run($m, $c) { return 2 + $m; }",
    "closing tag": "<?php function run($m, $c) { return 2 + $m; } ?>\n",
    "html around": "<h1>\n<?php function run($m, $c) { return 2 + $m; } ?>\n</h1>",
    "echo tag": "<?= 'x' ?><?php function run($m, $c) { return 2 + $m; }",
    "namespace": "<?php\ndeclare(strict_types=1);\nnamespace App\\Deep;\nuse App\\Deep\\Helper;\nuse function \\App\\Deep\\two;\n"
    "class Helper { const N = 1; }\nfunction two() { return \\App\\Deep\\Helper::N + 1; }\n"
    "function run($m, $c) { return \\intdiv(two() * Helper::N, 1) + $m; }",
    "namespace in braces": "<?php\nnamespace { class A { const N = 1; } }\n"
    "namespace B { const N = 1; function run($m, $c) { return \\A::N + N + $m; } }",
    "own names absolute": "<?php\nconst N = 1;\nclass A { static function n() { return 1; } }\nfunction n() { return \\N; }\n"
    "function run($m, $c) { return \\n() + \\A::n() + \\strlen('') + $m; }",
    "classes": "<?php\ninterface I extends Countable {}\ntrait T { function n() { return 1; } }\nenum E: int { case One = 1; }\n"
    "abstract class P implements I { use T; abstract function f(); function count(): int { return E::One->value; } }\n"
    "final class Q extends P implements IteratorAggregate, JsonSerializable {\n  public ?DateTimeInterface $d = null;\n  function f() {}\n"
    "  function getIterator(): Iterator { return new ArrayIterator([]); }\n  function jsonSerialize(): mixed { return null; }\n}\n"
    "function run(int $m, object $c): int { return (new class extends Q2 {})->n() + count(new Q) + $m; }\nclass Q2 { use T; }",
    "static": "<?php\nfunction next_() { static $n = 0; return ++$n; }\nclass S { static $n = 1; }\n"
    "function run($m, $c) { return (next_() > 0) + S::$n + $m; }",
    "heredoc": "<?php\nfunction run($m, $c) { $GLOBALS['x'] = ['k' => 1]; return strlen(<<<A\n  {$m} \\$x ${m}\n  A) - 6 + $m; }",
    "constants": "<?php\ndefine('TWO', 2);\nconst ONE = 1;\nif (!defined('OTHER')) define('OTHER', 0);\n"
    "function run($m, $c) { return constant('TWO') + OTHER + (defined('ONE') ? 0 : 9) + $m; }",
    "conditional function": "<?php\nif (!function_exists('helper')) { function helper() { return 2; } }\n"
    "function run($m, $c) { return helper() + (is_callable('helper') ? 0 : 9) + (is_callable('nothing') ? 9 : 0) + $m; }",
    "attributes": "<?php\n#[Attribute]\nclass Mark { function __construct(public int $n = 0) {} }\n"
    "#[Mark(n: 2)]\nfunction run(#[SensitiveParameter] $m, $c) { return 2 + $m; }",
    "match and arrows": "<?php\nfunction run($m, $c) { $f = fn($x) => match(true) { $x > 0 => 2, default => 0 }; return $f(1) + $m; }",
    "goto and halt": "<?php\nfunction run($m, $c) { goto end; end: return 2 + $m; }\n__halt_compiler(); <?php not PHP {",
    "methods with names of keywords": "<?php\nclass K { const NAMESPACE = 1; function namespace() { return $this->global(); }\n"
    "  function global() { return self::use(); } static function use() { return 2; } function trait() {} function class_() {} }\n"
    "function run($m, $c) { return (new K)->namespace() * K::NAMESPACE + $m; }",
    "functions like classes": "<?php\nfunction date_($x) { return 2; }\nfunction exception() { return date_(1); }\n"
    "function run($m, $c) { return exception() + $m; }",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_file(host: TextHost, form: str) -> None:
    slots = [host.module(FORMS[form]) for _ in range(3)]  # versions live side by side
    assert [slot.run([40]) for slot in slots] == [[42]] * 3
    assert not host.errors


def test_lines_are_the_users(host: TextHost) -> None:
    for form, code in FORMS.items():
        if form in ("no tag", "goto and halt", "closing tag", "html around"):
            continue
        text = code + "\nfunction fails() { throw new LogicException('no'); }\n"
        text = text.replace("run(", "ran(")
        at = "App\\Deep\\" if form == "namespace" else "B\\" if "braces" in form else ""
        if "braces" in form:
            text = text.replace("\nfunction fails() { throw new LogicException('no'); }\n", "")
            text = text.replace("namespace B {", "namespace B { function fails() { throw new \\LogicException('no'); }")
        elif at:
            text = text.replace("new LogicException", "new \\LogicException")
        if "braces" in form:
            text = text.replace("function ran(", "function run($m, $c) { fails(); } function ran(")
        else:
            text += "function run($m, $c) { fails(); }\n"
        line = next(n for n, part in enumerate(text.splitlines(), 1) if "LogicException('no')" in part)
        error = host.failure(text)
        assert (error["type"], error["file"], error["line"]) == ("LogicException", "m.php", line), form


# what modules keep apart


def test_global_variables_are_the_modules_own(host: TextHost) -> None:
    code = (
        "<?php\n$table = ['a' => {0}];\n$list[] = {0};\n$n = 0;\nfill();\n"
        "function fill() { global $table, $list; $table['b'] = {0}; $GLOBALS['filled'] = count($list); }\n"
        "function run($m, $c) {\n  global $n, $table;\n  $name = 'list';\n  global $$name;\n  $n++;\n  $list[] = $m;\n"
        "  return [$table, $list, $GLOBALS['n'], $GLOBALS['filled'], isset($GLOBALS['none']), array_key_exists('table', $GLOBALS)];\n}"
    )
    one, two = host.module(code.replace("{0}", "1")), host.module(code.replace("{0}", "2"))
    assert one.run([7, 8])[1] == [{"a": 1, "b": 1}, [1, 7, 8], 2, 1, False, True]
    assert two.run([9]) == [[{"a": 2, "b": 2}, [2, 9], 1, 1, False, True]]


def test_what_a_file_sets_is_its_includers(host: TextHost) -> None:
    files = {
        "conf.php": "<?php\n$limit = 5;\nreturn ['name' => 'conf', 'limit' => $limit];",
        "page.phtml": "<b><?= $title ?></b>\n<?php foreach ($rows as $row): ?>[<?= $row ?>]<?php endforeach ?>",
    }
    code = (
        "<?php\n$conf = require 'conf.php';\nfunction page($title, $rows) {\n  ob_start();\n  include __DIR__ . '/page.phtml';\n"
        "  return ob_get_clean();\n}\nfunction local() { require 'conf.php'; return $limit; }\n"
        "function run($m, $c) { global $conf, $limit; return [$conf, $limit, local(), page($m, [1, 2])]; }"
    )
    slot = host.module(code, files=files)
    assert slot.run(["t"]) == [[{"name": "conf", "limit": 5}, 5, 5, "<b>t</b>\n[1][2]"]]


CALLBACKS = """<?php
function double($x) { return 2 * $x; }
function add_one(&$x) { $x++; }
function compare($a, $b) { return $b <=> $a; }
class Tool {
    static function half($x) { return $x / 2; }
    function negate($x) { return -$x; }
}
function run($m, $c) {
    $list = [1, 3, 2];
    usort($list, 'compare');
    array_walk($list, 'add_one');
    $name = 'double';
    $names = ['double', 'strval'];
    return [
        array_map('double', $list), call_user_func('double', $m), $name($m), array_map($names[0], [1]),
        array_map('Tool::half', [4]), array_map(['Tool', 'half'], [6]), array_map([new Tool, 'negate'], [1]),
        implode(',', array_map('strtoupper', ['a'])), is_callable($name), function_exists('compare'), 'double',
        is_a(new Tool, 'Tool'), class_exists('Tool'), method_exists('Tool', 'half'), class_exists('Nothing'),
        array_filter(['double', 'nothing', 'strlen'], 'is_callable'), call_user_func_array("double", [4]),
        array_sum(array_map(fn ($f) => $f(1), ['double', 'double'])), (new ReflectionFunction('double'))->invoke(1),
    ];
}
"""


def test_texts_that_name_functions(host: TextHost) -> None:
    other = host.module(
        "<?php\nfunction double($x) { return \"other $x\"; }\nfunction run($m, $c) { $f = 'double'; return $f($m); }"
    )
    slot = host.module(CALLBACKS)
    seen = slot.run([5])
    assert not slot.errors, slot.errors[0].info
    assert seen[0][:8] == [[8, 6, 4], 10, 10, [2], [2], [3], [-1], "A"]
    assert seen[0][8:15] == [True, True, "double", True, True, True, False]
    assert seen[0][16:18] == [8, 4]
    assert other.run([5]) == ["other 5"]


@pytest.mark.parametrize(
    "text", [r"'App\Deep\twice'", r"'App\\Deep\\twice'", r'"App\\Deep\\twice"', r"'\App\Deep\Twice'"]
)
def test_texts_that_name_functions_in_a_namespace_of_the_module(host: TextHost, text: str) -> None:
    functions = "function twice($x) { return 2 * $x; }\nclass Tool { static function half($x) { return $x / 2; } }\n"
    method = re.sub("[tT]wice", "Tool::half", text)
    run = f"function run($m, $c) {{ return [array_map({text}, [$m]), call_user_func({method}, $m)]; }}"
    assert host.module(f"<?php\nnamespace App\\Deep;\n{functions}{run}").run([4]) == [[[8], 2]]


def test_a_function_of_another_module_is_not_there(host: TextHost) -> None:
    host.module("<?php\nfunction helper() { return 1; }\nclass Helper {}\ndefine('HELP', 1);\nfunction run($m, $c) {}")
    code = (
        "<?php\nfunction run($m, $c) {{\n  $f = 'helper';\n"
        "  if ($m === 'asks') return [function_exists('helper'), is_callable('helper'), class_exists('Helper'), defined('HELP')];\n"
        "  {0};\n}}"
    )
    assert host.module(code.format("")).run(["asks"]) == [[False, False, False, False]]
    for call, says in {
        "helper()": "Call to undefined function helper()",
        "$f()": "Call to undefined function helper()",
        "new Helper": 'Class "Helper" not found',
        "return HELP": 'Undefined constant "HELP"',
    }.items():
        error = host.failure(code.format(call))
        assert (error["type"], error["line"]) == ("Error", 5)
        assert error["message"].startswith(says)


# files


def test_files_that_are_no_php_stay_as_they_are(host: TextHost) -> None:
    files = {"table.json": '{"a":[1]}', "words.txt": "<?php no\n", "empty.json": "", "lib/x.csv": "a;b"}
    code = (
        "<?php\n$table = json_decode(file_get_contents(__DIR__ . '/table.json'), true);\n"
        "function run($m, $c) { global $table; return [$table, file_get_contents(dirname(__FILE__) . '/words.txt'),"
        " file(__DIR__ . '/lib/x.csv'), basename(__FILE__), file_get_contents(__DIR__ . '/empty.json')]; }"
    )
    assert host.module(code, files=files).run([0]) == [[{"a": [1]}, "<?php no\n", ["a;b"], "m.php", ""]]


def test_files_are_required_in_every_way(host: TextHost) -> None:
    files = {
        "helper.php": "<?php declare(strict_types=1);\nrequire_once __DIR__ . '/lib/deep.php';\nfunction help() { return deep() . Deep::N; }",
        "lib/deep.php": "<?php\nfunction deep() { return 'deep'; }\nclass Deep { const N = 1; }\n",
        "lib/auto/Thing.php": "<?php\nnamespace Lib\\Auto;\nclass Thing { static function n() { return \\deep(); } }\n",
    }
    run = "\nfunction run($m, $c) { return [help(), \\help(), Lib\\Auto\\Thing::n(), \\Lib\\Auto\\Thing::n()]; }"
    for way in ("require 'helper.php';", "require_once(__DIR__ . '/helper.php');", "include __DIR__ . '/helper.php';"):
        slot = host.module(f"<?php\n{way}\nrequire 'lib/auto/Thing.php';{run}", files=files)
        assert slot.run([0]) == [["deep1", "deep1", "deep", "deep"]], slot.errors


def test_an_autoloader_gets_the_names_that_the_files_have(host: TextHost) -> None:
    files = {
        "src/Shop/Price.php": "<?php\nnamespace App\\Shop;\nfinal class Price { static function of($x) { return 2 * $x; } }"
    }
    code = (
        "<?php\nuse App\\Shop\\Price;\nspl_autoload_register(function ($class) {\n"
        "  $file = __DIR__ . '/src/' . str_replace(['App\\\\', '\\\\'], ['', '/'], $class) . '.php';\n"
        "  if (is_file($file)) require $file;\n});\nfunction run($m, $c) { return [Price::of($m), class_exists('App\\None')]; }"
    )
    assert [host.module(code, files=files).run([4]) for _ in range(2)] == [[[8, False]]] * 2
    error = host.failure(code.replace("Price::of($m)", "new App\\Gone"), files=files)
    assert error["message"].startswith('Class "App\\Gone" not found')


def test_the_files_of_an_unloaded_module_are_gone(host: TextHost) -> None:
    code = "<?php function run($m, $c) { return [__DIR__, is_dir((string) $m)]; }"
    old, new = host.module(code, files={"a/b.txt": "x"}), host.module(code)
    [[folder, is_there]] = old.run([""])
    assert not is_there
    host.unload(old)
    assert new.run([folder])[0][1] is False
    assert "not beside the module" in host.refused(code, files={"../../x.php": ""})["message"]


# values


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("new DateTime", "format(DATE_ATOM)"),
        ("[new DateTimeImmutable]", "format(DATE_ATOM)"),
        ("['d' => ['e' => new DateInterval('P1D')]]", "DateInterval is not JSON"),
        ("new ArrayObject([1])", "iterator_to_array"),
        ("Suit::Hearts", "send its ->value"),
        ("fn () => 1", "Closure is not JSON"),
        ("fopen('php://memory', 'r')", "not supported"),
        ("[NAN]", "Inf and NaN"),
        ('"\\xff"', "UTF-8"),
        ('["\\xff" => 1]', "UTF-8"),
        ("deep(121)", "nested too deep"),
        ("cycle()", "nested too deep"),
    ],
)
@pytest.mark.parametrize("wire", ["channel", "fused", "none"])
def test_what_json_has_no_form_for_is_refused(host: TextHost, expression: str, says: str, wire: str) -> None:
    slot = host.module(
        "<?php\nenum Suit: string { case Hearts = 'H'; }\nfunction deep($n) { return $n ? [deep($n - 1)] : 1; }\n"
        "function cycle() { $o = new stdClass; $o->o = $o; return $o; }\n"
        f"function run($m, $c) {{\n  $c->send('out', 'gone with the turn');\n  return {expression};\n}}"
    )
    target = host.module("<?php function run($m, $c) { return $m; }")
    slot.wire([] if wire == "none" else ["out"], {"out": [(target, "in", "w")]} if wire == "fused" else None)
    slot.data([1])
    slot.done()
    assert [error.type for error in slot.errors] == ["DataError"]
    error = slot.errors[0].info["error"]
    assert says in error["message"]
    assert (error["file"], error["line"]) == ("m.php", 5)  # where the function is
    assert not slot.out() and not target.out()


def test_doubles_keep_their_digits_whatever_a_module_sets(host: TextHost) -> None:
    code = "<?php ini_set('serialize_precision', '4'); \\ini_set('SERIALIZE_PRECISION', 4); ini_set('precision', 4);\n"
    slot = host.module(code + "function run($m, $c) { return [1 / 3, $m]; }")
    assert slot.run([0.1]) == [[1 / 3, 0.1]]


def test_config_is_the_same_for_every_message(host: TextHost) -> None:
    code = "<?php function run($m, $c) { $c->config->n++; $c->config->list[] = 1; return $c->config; }"
    assert host.module(code, config={"n": 1, "list": []}).run([0, 0]) == [{"n": 2, "list": [1]}] * 2


def test_a_fused_message_is_redelivered_and_kept_as_it_was_sent(host: TextHost) -> None:
    front = host.module("<?php function run($m, $c) { return $m; }")
    code = (
        "<?php function run($m, $c) { if ($m === 1) return $c->redelivered; $m->a->b = 2; throw new Exception('no'); }"
    )
    back = host.module(code)
    front.wire(fused={"out": [(back, "in", "w")]})
    front.redeliver([1, {"a": {"b": 1}}], first=1)
    front.done()
    assert back.out() == [True]
    assert [error.message for error in back.errors] == [b'{"a":{"b":1}}']


# errors


def test_an_error_has_the_users_frames_alone(host: TextHost) -> None:
    code = (
        "<?php\nclass Shape {\n  function area($x) { return intdiv($x, 0); }\n}\n"
        "function each_($m) { return array_map(fn ($x) => (new Shape)->area($x), [$m]); }\n"
        "function run($m, $c) { return each_($m); }\n"
    )
    error = host.failure(code, 4)
    assert (error["type"], error["file"], error["line"]) == ("DivisionByZeroError", "m.php", 3)
    assert error["stack"].splitlines() == [
        "#0 m.php(3): intdiv()", "#1 m.php(5): Shape->area()", "#2 m.php(5): array_map()", "#3 m.php(6): each_()",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("throws", "kind", "text"),
    [
        ("throw new class('own') extends DomainException {}", "DomainException", "own"),
        ("throw new Own('x')", "Own", "x"),
        ('throw new Exception("caf\\xe9")', "Exception", "caf"),
        ("throw new Exception(str_repeat('x', 1_000_000))", "Exception", "xxx"),
        ("return $undefined", "ErrorException", "Undefined variable $undefined"),
        ("nothing()", "Error", "Call to undefined function nothing()"),
        ("$c->send('out', new DateTime)", "DataError", "format"),
        ("Own::thing()", "Error", "Call to undefined method Own::thing()"),
        ("takes('x')", "TypeError", "takes(): Argument #1 ($x) must be of type int"),
        ("exit", "SystemExit", "exit(0)"),
        ("exit(3)", "SystemExit", "exit(3)"),
        ("false or die('no database')", "SystemExit", "no database"),
        ("return match($m) {}", "UnhandledMatchError", "Unhandled match case 1"),
    ],
)
def test_whatever_is_thrown_is_an_error_of_the_message(host: TextHost, throws: str, kind: str, text: str) -> None:
    slot = host.module(
        "<?php\nclass Own extends Exception { public $type = 'no'; public $message = ''; }\nfunction takes(int $x) {}\n"
        f"function run($m, $c) {{\n  if ($m === 2) return $m;\n  {throws};\n}}"
    )
    assert slot.run([1, 2]) == [2]
    error = slot.errors[0].info["error"]
    assert error["type"] == kind and text in error["message"] and len(error["message"]) < 70_000
    assert (error["file"], error["line"]) == ("m.php", 3 if kind == "TypeError" else 6)
    assert "Module" not in error["message"] + error["stack"] and "host.php" not in error["stack"]


def test_a_syntax_error_of_a_sibling_names_it(host: TextHost) -> None:
    code = "<?php\nrequire 'lib/helper.php';\nfunction run($m, $c) {}"
    error = host.refused(code, files={"lib/helper.php": "<?php\n\nfunction ("})
    assert (error["type"], error["file"], error["line"]) == ("ParseError", "lib/helper.php", 3)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("require 'helper.php'", "`files:`"),
        ("include_once __DIR__ . '/helper.php'", "`files:`"),
        ("new GuzzleHttp\\Client()", "no `dependencies:` for php"),
        ("new Helper", "no `dependencies:` for php"),
        ("mb_strlen_('x')", "Call to undefined function mb_strlen_(); its extension"),
        ("file_get_contents('table.json')", "`files:`"),
        ("fopen('table.json', 'r')", "`files:`"),
        ("file_put_contents('/sys/x', 'x')", "`limits.writable`"),
        ("mkdir('/proc/x')", ""),
    ],
)
def test_hints(host: TextHost, code: str, hint: str) -> None:
    assert hint in host.refused(f"<?php\n{code};\nfunction run($m, $c) {{}}\n")["message"]
    assert hint in host.failure(f"<?php\nfunction run($m, $c) {{\n  {code};\n}}\n")["message"]


# processes and prints


def test_a_forked_child_prints_throws_and_exits_by_itself(host: TextHost) -> None:
    slot = host.module(
        "<?php\nfunction run($m, $c) {\n  $pid = pcntl_fork();\n"
        "  if ($pid) { pcntl_waitpid($pid, $status); return [$m, pcntl_wexitstatus($status)]; }\n"
        "  echo 'inside ';\n  fwrite(STDERR, 'err ');\n  $c->log('info', 'logged');\n  $c->send('out', 'never');\n"
        "  match ($m) { 1 => exit(3), 2 => throw new Exception('alone'), default => 0 };\n  return 'came back';\n}"
    )
    assert slot.run([1, 2, 3]) == [[1, 3], [2, 255], [3, 0]]
    assert not slot.errors and not host.logs
    printed = host.link.printed()
    assert [printed.count(text) for text in ("inside", "err ", "logged")] == [3, 3, 3]
    assert "alone" in printed and "has come back" in printed


def test_prints_are_lines(host: TextHost) -> None:
    slot = host.module(
        '<?php\nfunction run($m, $c) {\n  echo \'a\', "b\\nc";\n  fwrite(STDERR, "d\\ne");\n  print(\'f\');\n  fputs(STDOUT, "g\\n");\n'
        "  error_log('h');\n  return $m;\n}",
        slot=3,
    )
    slot.run([1])
    lines = [(number, body["level"], body["text"]) for number, body in host.logs]
    assert sorted(lines) == [(3, "error", "d"), (3, "error", "e"), (3, "info", "ab"), (3, "info", "cfg")]
    assert "h" in host.link.printed()


def test_children_inherit_no_link(host: TextHost) -> None:
    slot = host.module("<?php function run($m, $c) { return shell_exec('ls -l /proc/self/fd'); }")
    [listing] = slot.run([1])
    assert "input" not in listing and "output" not in listing
