<?php
function counted($context, $key) { $context->set($key, $context->get($key, 0) + 1); }

function run($message, $context) {
    counted($context, 'n');
    return [$context->config->version, ...$message];
}

function start($context) {
    counted($context, 'starts');
    if ($context->config->refuse === 'start') throw new Exception('refused');
    if ($context->config->refuse === 'die') posix_kill(posix_getpid(), 9);
}

// STOP
function stop($context) { counted($context, 'stops'); }
