<?php
function run($message, $context) {
    $child = pcntl_fork();
    echo "printed by ", $child ? "the parent" : "the child", "\n";
    $context->log("info", "logged");
    $context->set("n", $context->get("n", 0) + 1);
    if ($child) pcntl_waitpid($child, $status);
    return $message;
}
