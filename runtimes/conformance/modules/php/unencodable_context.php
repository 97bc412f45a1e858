<?php
function run($message, $context) {
    $context->set("n", $message === "nan" ? NAN : "a\xED\xA0\x80b");
    return $message;
}
