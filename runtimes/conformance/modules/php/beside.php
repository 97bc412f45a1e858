<?php
$table = file_get_contents(__DIR__ . "/table.json");

function run($message, $context) {
    global $table;
    return [$table, file_get_contents(__DIR__ . "/deep/down/words.txt")];
}
