<?php
function run($message, $context) {
    return [
        "headers" => (object) $context->headers,
        "port" => $context->port,
        "id" => $context->messageId,
        "redelivered" => $context->redelivered,
        "module" => $context->moduleId,
        "flow" => $context->flowId,
    ];
}
