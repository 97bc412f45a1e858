<?php
function run($message, $context) {
    $context->set("n", $context->get("n", 0) + 1);
    return $message;
}
