<?php
// NAME: numbers the messages that come in.

// Called for every message, one at a time; what it returns leaves by the port `out`.
function run($message, $context)
{
    $count = $context->get("count", 0) + 1;
    $context->set("count", $count);
    return ["count" => $count, "message" => $message];
}
