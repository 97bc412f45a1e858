<?php
function run($message, $context) {
    foreach ((array) ($message->set ?? []) as $key => $value) {
        $context->set($key, $value);
    }
    foreach ($message->delete ?? [] as $key) {
        $context->delete($key);
    }
    if ($message->fail ?? false) {
        throw new Exception("fails after its changes");
    }
    $keys = $context->keys();
    sort($keys, SORT_STRING);
    $values = array_map(fn($key) => $context->get($key), $keys);
    return ["keys" => $keys, "values" => $values, "missing" => $context->get("missing", "default")];
}
