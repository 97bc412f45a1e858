<?php
function run($message, $context) {
    $message->marks[] = $context->config;
    $message->last = $context->config;
    return $message;
}
