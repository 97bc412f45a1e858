<?php
function run($message, $context) {
    $context->send("a", [$message, "a"]);
    $context->send("b", [$message, "b"]);
    $context->send("a", [$message, "a again"]);
    return [$message, "out"];
}
