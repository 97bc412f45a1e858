<?php
function run($message, $context) {
    for ($i = 0; $i < $message; $i++) {
        $context->send($i % 3 == 2 ? "b" : "out", $i);
    }
}
