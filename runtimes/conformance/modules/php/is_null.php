<?php
function run($message, $context) { return $message === Flow\Json::Null; }
