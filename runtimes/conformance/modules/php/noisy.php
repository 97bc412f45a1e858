<?php
function run($message, $context) {
    echo "to stdout $message\n";
    fwrite(STDERR, "to stderr $message\n");
    $context->log("warning", "to the log");
    return $message;
}
