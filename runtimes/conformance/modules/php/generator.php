<?php
function run($message, $context) {
    yield [$message, 0];
    $context->send("side", $message);
    if ($message === "bad") {
        throw new Exception("no bad messages");
    }
    yield [$message, 1];
    yield [$message, 2];
}
