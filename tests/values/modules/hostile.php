<?php
// A module that does what its program says with the values it gets, makes and keeps: the words are in cases.py.
// Its config is {"programs": {CASE: [STEP, ...]}, "die": [CASE, ...], "part": VALUE}; a message tells its case.

$kept = [];
$table = (object) ["prices" => [20, (object) ["a" => 1]], "name" => "table"];

class Record extends stdClass implements JsonSerializable {
    public $x = [1];
    protected $y = 2;
    function jsonSerialize(): mixed { return "no JSON"; }
}

class Text { function __toString() { return "text"; } }
enum Suit: string { case Hearts = "H"; }
enum Plain { case One; }

function cyclic_list() { $list = [1]; $list[] = &$list; return $list; }
function cyclic_object() { $o = new stdClass; $o->a = [$o]; return $o; }
function deep($levels) { $v = 0; for ($i = 0; $i < $levels; $i++) $v = $i % 2 ? [$v] : (object) ["d" => $v]; return $v; }
function referenced() { $x = [1]; $list = [&$x, &$x]; return $list; }
function with_property($name) { $o = new stdClass; $o->{$name} = 1; return $o; }
function generator() { yield 1; }

function odd($name) {
    global $table;
    return match ($name) {
        "date" => new DateTime("@0"), "immutable" => new DateTimeImmutable("@0"), "interval" => new DateInterval("P1D"),
        "array_object" => new ArrayObject([1]), "record" => new Record, "text_object" => new Text, "closure" => fn () => 1,
        "enum" => Suit::Hearts, "plain_enum" => Plain::One, "stream" => fopen("php://memory", "r"), "error" => new Exception("v"),
        "nan" => NAN, "inf" => -INF, "minus_zero" => -0.0, "tiny" => 5e-324, "huge_float" => PHP_FLOAT_MAX, "tenth" => 0.1,
        "wide_float" => 2.0 ** 70, "int64" => PHP_INT_MAX, "min_int64" => PHP_INT_MIN, "over_int64" => PHP_INT_MAX + 1,
        "int54" => 2 ** 53 + 1, "bad_text" => "\xff", "surrogate" => "a\xED\xA0\x80", "bad_key" => ["\xff" => 1],
        "nul" => "\0\u{2028}\u{10ffff}", "nul_key" => with_property("a\0b"), "first_nul_key" => ["\0a" => 1, "b" => 2],
        "int_keys" => [1 => "a", 2 => "b"], "list_keys" => [1 => "a", 0 => "b"], "text_int_keys" => ["1" => "a", "x" => 1],
        "int_property" => (object) [1 => "a"], "list_object" => (object) ["a", "b"], "negative_key" => [-1 => 1],
        "bytes" => new Flow\Bytes("ab\xff"), "no_bytes" => new Flow\Bytes(""), "own_bytes" => ["\$bytes" => "YQ=="],
        "own_bad_bytes" => (object) ["\$bytes" => [1]], "own_escaped" => ["\$\$bytes" => new Flow\Bytes("x")],
        "null" => Flow\Json::Null, "nothing" => null, "null_in" => [Flow\Json::Null, null], "empty_list" => [],
        "empty" => new stdClass, "empty_key" => ["" => ["__proto__" => 1]], "cyclic_list" => cyclic_list(),
        "cyclic_object" => cyclic_object(), "deep" => deep(110), "deep_limit" => deep(120), "deep_over" => deep(121),
        "very_deep" => deep(3000), "referenced" => referenced(), "shared" => [$table->prices[1], $table->prices[1]],
        "generator" => generator(), "big_text" => str_repeat("x", 100_000), "big_list" => range(0, 19_999),
        "long" => str_repeat("€", 600), "slash" => "a/b\\c\"", "true_false" => [true, false, 0, "0", ""],
    };
}

// The case that a message belongs to, "-" if it does not tell.
function case_of($message) {
    if ($message instanceof stdClass) return case_of($message->case ?? null);
    if (is_array($message)) return $message ? case_of(reset($message)) : "-";
    if ($message instanceof Flow\Bytes) return explode(":", $message->data)[0];
    if (is_string($message)) return explode(":", $message)[0];
    return is_int($message) || is_float($message) && abs($message) < 1e15 ? (string) (int) $message : "-";
}

// Change everything in a value that can be changed, but never the own table: it is the same after a death.
function mutate(&$value, $depth = 0) {
    global $table;
    if ($depth > 5 || $value === $table || $value === $table->prices[1]) return;
    if (is_array($value)) {
        foreach ($value as &$item) mutate($item, $depth + 1);
        $value[] = "mutated";
    } elseif ($value instanceof stdClass && !$value instanceof Record) {
        foreach (array_keys(get_object_vars($value)) as $key) {
            if (str_starts_with($key, "\0")) continue; // PHP lets nobody touch it: an error, of what is kept and not there after a death
            if (is_object($value->{$key}) || is_array($value->{$key})) mutate($value->{$key}, $depth + 1);
            if ($key !== "case") unset($value->{$key});
        }
        $value->mutated = ["yes"];
    } elseif (is_string($value)) $value .= "mutated";
}

// What a value is, with the types of all its parts.
function saw($value, $depth = 0) {
    if ($depth > 130) return "deeper";
    if ($value instanceof Flow\Bytes) return "bytes " . bin2hex($value->data);
    if (!is_array($value) && !is_object($value)) return get_debug_type($value) . " " . substr(json_encode($value), 0, 200);
    if ($value instanceof UnitEnum) return $value->name;
    $parts = [];
    foreach ((array) $value as $key => $item) $parts[] = (is_object($value) ? "$key: " : "") . saw($item, $depth + 1);
    return (is_array($value) && !array_is_list($value) ? "map" : get_debug_type($value)) . "(" . implode(", ", $parts) . ")";
}

function wrapped($case, $value) { return ["case" => $case, "v" => $value]; }

// Twice the same, changed between.
function yields($value) {
    yield $value;
    mutate($value);
    yield $value;
}

// Do as the program says; returns what the handler returns.
function act($message, $context) {
    global $kept, $table;
    [$case, $value] = [case_of($message), $message];
    if (in_array($case, $context->config->die, true) && !$context->redelivered) posix_kill(getmypid(), 9);
    foreach ($context->config->programs->{$case} ?? [["return"]] as $step) {
        $rest = $step[1] ?? null;
        switch ($step[0]) {
            case "value": $value = json_decode(json_encode($rest)) ?? Flow\Json::Null; break;
            case "make": $value = odd($rest); break;
            case "dict": $value = wrapped($case, $value); break;
            case "list": $value = [$case, $value]; break;
            case "twice": $value = [$case, $value, $value]; break;
            case "message": $value = $message; break;
            case "table": $value = $table; break;
            case "part": $value = wrapped($case, $context->config->part); break;
            case "config":
                $value = wrapped($case, $context->config);
                unset($value["v"]->programs, $value["v"]->die);
                break 1;
            case "get": $value = $context->get($rest, wrapped($case, "default")); break;
            case "set": $context->set($rest, $value); break;
            case "saw": $context->set("saw $case", saw($message)); break;
            case "keep": $kept[] = &$value; break;
            case "keep_message": $kept[] = &$message; break;
            case "spoil": foreach ($kept as &$one) mutate($one); $kept = []; break;
            case "mutate": mutate($value); break;
            case "mutate_message": mutate($message); break;
            case "send": $context->send($rest, $value); break;
            case "send_with": $context->send("out", $value, ["x-h" => $case]); break;
            case "catch":
                try { $context->send("out", $value); } catch (Exception $e) { $context->send("side", [$case, $e->getMessage()]); }
                break;
            case "catch_set":
                try { $context->set("caught", $value); } catch (Exception $e) { $context->set("caught", [$case, $e->getMessage()]); }
                break;
            case "fail": throw new LogicException("case $case");
            case "return": return $value;
            case "yields": return yields($value);
            default: throw new LogicException("the word $step[0]");
        }
    }
    return null;
}
