<?php
function run($message, $context) {
    $context->set("kept", $message);
    $message->list[] = "after set";
    $context->get("kept")->list[] = "after get";
    return $context->get("kept");
}
