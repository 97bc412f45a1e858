<?php
require "helper.php";

function run($message, $context) { return [$message, NAME]; }
