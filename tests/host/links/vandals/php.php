<?php
// Hands on texts; a list of bytes it writes into every pipe it finds.
function run(mixed $message, $context): mixed
{
    if (is_string($message)) {
        return $message;
    }
    for ($fd = 3; $fd < 64; $fd++) {
        $pipe = @fopen("php://fd/$fd", 'wb');
        if ($pipe !== false && (fstat($pipe)['mode'] & 0170000) === 0010000) {
            @fwrite($pipe, pack('C*', ...$message));
        }
    }
    return 'written';
}
