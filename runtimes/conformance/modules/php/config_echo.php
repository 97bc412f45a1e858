<?php
function run($message, $context) { return $context->config; }
