<?php
function run($message, $context) {
    $context->set("n", $context->get("n", 0) + 1);
    $context->send("out", $message);
    if ($message === "bad") {
        throw new ValueError("no bad messages"); // HERE
    }
}
