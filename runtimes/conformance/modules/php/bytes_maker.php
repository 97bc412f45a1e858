<?php
function run($message, $context) {
    return match ($message) {
        "bytes" => new Flow\Bytes("\x00\x01\xff"),
        "object" => ['$bytes' => "AAH/"],
        "escaped" => ['$$bytes' => "AAH/"],
        default => [strlen($message->data), ord($message->data[-1])],
    };
}
