<?php // What became of a module's code that threw: the ERROR of PROTOCOL.md section 4, with the user's file, line and stack.
declare(strict_types=1);
namespace Flow;

const HINTS = [ // what PHP says => what to do about it
    '/^(require|include)(_once)?\(|^Failed opening required/' => 'a file of the module\'s own is named in its `files:`',
    '/^(Class|Interface|Trait|Enum) ".*" not found/' => 'there are no Composer packages here, and no `dependencies:` for php;'
        . ' a file of your own is named in the module\'s `files:` and required',
    '/^Call to undefined function (mb_|curl_|simplexml_|imagecreate|bc|intl)/' => 'its extension is not installed',
    '/\((?!\/)[^:]*\): .*No such file/' => 'a relative path begins in the host\'s temporary folder: name the file in the module\'s'
        . ' `files:` and open it beside __DIR__',
    '/(Permission denied|Read-only file system)$/' => 'what a module may write to is named in its `limits.writable`',
];

const SHOWN_BYTES = 64 << 10; // of what only people read

final class Failure extends \Exception { // with a type of the protocol's
    public function __construct(public readonly string $type, string $text) { parent::__construct($text); }

    // FUNCTION: the module's that was called, for what happens when it has returned.
    public static function shown(\Throwable $error, string $folder, ?\Closure $function = null): array {
        $calls = [['file' => $error->getFile(), 'line' => $error->getLine()], ...$error->getTrace()];
        $calls = array_filter($calls, fn ($call) => str_starts_with($call['file'] ?? '', "$folder/"));
        $own = fn (string $text) => preg_replace('/\bModule\\\\\w+\\\\/', '', str_replace("$folder/", '', short($text)));
        $stack = [];
        foreach ($calls as $call) {
            $called = ($call['class'] ?? '') . ($call['type'] ?? '') . ($call['function'] ?? '');
            if ($called !== '') $stack[] = '#' . count($stack) . $own(" $call[file]($call[line]): $called()");
        }
        $at = reset($calls);
        $function = $at || !$function ? null : new \ReflectionFunction($function);
        if ($function) $at = ['file' => $function->getFileName(), 'line' => $function->getStartLine()];
        $place = $at ? ['file' => $own($at['file']), 'line' => $at['line']] : [];
        $text = $own(is_string($error->getMessage()) ? $error->getMessage() : json_encode($error->getMessage(), SHOWN));
        return ['type' => self::type($error), 'message' => $text . self::hint($text)] + $place + ['stack' => implode("\n", $stack)];
    }

    private static function type(\Throwable $error): string {
        if ($error instanceof \JsonException) return 'DataError';
        if ($error instanceof self) return $error->type;
        $class = new \ReflectionClass($error);
        while ($class->isAnonymous()) $class = $class->getParentClass();
        return $class->getShortName();
    }

    private static function hint(string $text): string {
        foreach (HINTS as $pattern => $hint) if (preg_match($pattern, $text)) return "; $hint";
        return '';
    }
}

function short(string $text): string { return strlen($text) > SHOWN_BYTES ? substr($text, 0, SHOWN_BYTES) . '...' : $text; }
