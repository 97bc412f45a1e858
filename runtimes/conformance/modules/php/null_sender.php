<?php
function run($message, $context) {
    $context->send("out", Flow\Json::Null);
    return Flow\Json::Null;
}
