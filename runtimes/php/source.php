<?php // A module's files as they are run: in a folder and a namespace of their own, so that nobody else sees what they define.
declare(strict_types=1);
namespace Flow;

require __DIR__ . '/text.php';
require __DIR__ . '/own.php';

final class Source {
    public array $declared = ['function' => [], 'class' => [], 'constant' => []]; // in lower case -> as written

    public function __construct(public readonly string $space, public readonly string $folder) {}

    public function place(array $files, string $main, string $code): string { // writes them all; the path of the main one
        $texts = array_map(fn ($text) => new Text($text), array_filter($files, self::isPhp(...), ARRAY_FILTER_USE_KEY));
        $texts[$main] = new Text(str_contains($code, '<?') ? $code : "<?php $code");
        foreach ($texts as $text) $this->declared = array_merge_recursive($this->declared, $text->declared);
        foreach ([...$files, $main => $code] as $name => $text) {
            $path = "$this->folder/$name";
            if (in_array('..', explode('/', $path), true)) throw new \Exception("the file $name is not beside the module");
            if (!is_dir(dirname($path))) mkdir(dirname($path), 0700, true);
            file_put_contents($path, isset($texts[$name]) ? $texts[$name]->written($this) : $text);
        }
        foreach ($this->declared['function'] as $name => $_) Own::answer($name);
        return "$this->folder/$main";
    }

    private static function isPhp(string|int $name): bool { return preg_match('/\.(php\d?|phtml|inc)$/Di', (string) $name) === 1; }

    public function find(string $function): ?\Closure { // in the namespace, or in one that the module has in it
        foreach ([$function, ...preg_grep("/\\\\$function$/", array_keys($this->declared['function']))] as $name) {
            if (function_exists("$this->space\\$name")) return "$this->space\\$name"(...);
        }
        return null;
    }

    public function own(string $name, string ...$kinds): bool { // what is absolute is the module's, if PHP has none
        $name = strtolower(ltrim($name, '\\'));
        foreach ($kinds as $kind) {
            $isPhps = match ($kind) {
                'function' => function_exists($name) && !isset(Own::$answers[$name]),
                'class' => class_exists($name, false),
                'constant' => defined($name),
            };
            if (isset($this->declared[$kind][$name]) && !$isPhps) return true;
        }
        return false;
    }

    public function remove(?string $path = null): void {
        $path ??= $this->folder;
        if (!is_dir($path) || is_link($path)) { @unlink($path); return; }
        foreach (array_diff(scandir($path) ?: [], ['.', '..']) as $name) $this->remove("$path/$name");
        @rmdir($path);
    }
}
