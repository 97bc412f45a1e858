<?php
function run($message, $context) {
    $n = $context->get("n", 0) + 1;
    $context->set("n", $n);
    return $n;
}
