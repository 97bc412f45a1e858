<?php
function run($message, $context) {
    echo "caf\xe9 \xff\n", str_repeat("x", 3_000_000), "\n";
    print str_repeat("y", 3_000_000);
    fwrite(STDERR, "\xff\n");
    fwrite(STDOUT, str_repeat("z", 200_000) . "\n");
    file_put_contents("php://stdout", "to the process's own output\n");
    ob_start();
    echo "nobody sees this";
    ob_end_clean();
    ob_start();
    ob_start();
    echo "the last\n";
    return $message;
}
