<?php
function run($message, $context) {
    $context->set("n", $context->get("n", 0) + 1);
    if ($message === "bad" && !$context->redelivered) {
        throw new Exception("not yet");
    }
    return [$message, $context->get("n")];
}
