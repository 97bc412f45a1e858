<?php
function run($message, $context) { return str_repeat("x", $message); }
