<?php
function run($message, $context) {
    $context->set($message->key, str_repeat("x", $message->bytes));
    return $message->key;
}
