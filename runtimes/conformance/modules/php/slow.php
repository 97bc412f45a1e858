<?php
function run($message, $context) {
    $till = hrtime(true) + $context->config->ms * 1e6;
    while (hrtime(true) < $till);
    return $message;
}
