<?php
// Decode, identity, encode with PHP's own functions; prints the microseconds of processor time a message.
function run($message) { return $message; }

function encoded(string $data): string
{
    $messages = json_decode($data, false, 512, JSON_THROW_ON_ERROR);
    return implode(",\n", array_map(fn($message) => json_encode(run($message), JSON_THROW_ON_ERROR), $messages));
}

function cpu_us(): int
{
    $used = getrusage();
    return ($used["ru_utime.tv_sec"] + $used["ru_stime.tv_sec"]) * 1000000 + $used["ru_utime.tv_usec"] + $used["ru_stime.tv_usec"];
}

$data = stream_get_contents(STDIN);
$rounds = (int) $argv[1];
$count = count(json_decode($data));
for ($i = 0; $i < $rounds / 4; $i++) encoded($data);
$begun = cpu_us();
for ($i = 0; $i < $rounds; $i++) encoded($data);
echo (cpu_us() - $begun) / ($rounds * $count), "\n";
