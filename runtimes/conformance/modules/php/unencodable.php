<?php
function run($message, $context) {
    return match ($message) {
        "nan" => NAN,
        "infinity" => INF,
        "minus infinity" => -INF,
        "nested" => ["a" => [1, NAN]],
        "surrogate" => "a\xED\xA0\x80b",
        "surrogate key" => ["\xED\xB0\x80" => 1],
        "date" => ["at" => new DateTimeImmutable("2020-01-02")],
        "function" => ["f" => fn() => 1],
    };
}
