<?php
function note($context, $event) {
    $context->set("events", [...$context->get("events", []), $event]);
    $context->send("out", $event);
    if ($context->config === $event) {
        throw new Exception("$event fails");
    }
}

function start($context) { note($context, "start"); }

function stop($context) { note($context, "stop"); }

function migrate($context, $from_version) { note($context, "migrate $from_version"); }

function run($message, $context) { return $context->get("events", []); }
