<?php
function prepare() {
    throw new Exception("cannot load"); // HERE
}

function run($message, $context) { return $message; }

prepare();
