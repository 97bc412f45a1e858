<?php
function run($message, $context) { return [$message, $message]; }
