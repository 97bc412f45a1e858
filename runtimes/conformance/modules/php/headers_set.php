<?php
function run($message, $context) { $context->send("out", $message->value, $message->headers); }
