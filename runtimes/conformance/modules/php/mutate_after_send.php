<?php
function run($message, $context) {
    $context->send("out", $message);
    $message->marks[] = "after send";
    return $message;
}
